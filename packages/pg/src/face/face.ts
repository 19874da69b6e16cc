/**
 * A `pg.Pool` whose every call runs through a stack.
 */
import {
  type Access,
  type CallOptions,
  type Connection,
  type Database,
  type Dialect,
  failureOf,
  type QueryResult,
  type Statement,
  TimeoutError,
} from "@breakwater/core";
import type { EventEmitter } from "node:events";
import pg from "pg";
import type { PgConfig } from "../types.ts";
import { Autocommit } from "./autocommit.ts";
import { type Callback, call, throughCallback } from "./callback.ts";
import type { LentClient, Submittable } from "./client.ts";
import { hearEvents } from "./events.ts";
import { Lease, type LeaseHost } from "./lease.ts";
import type { FaceOptions } from "./options.ts";
import { Running } from "./running.ts";
import { pgStatement } from "./statement.ts";
import { isSubmittable, Submission } from "./submit.ts";

/** What is used of the superclass. Its methods have more overloads than a subclass could be held to. */
export interface PoolBase extends EventEmitter {
  ending: boolean;
  ended: boolean;
  /** Private to `pg`, and looked into nevertheless: here it holds the clients that are lent. */
  _clients: unknown[];
}

/** `pg.Pool`: there for `instanceof` and for its options. It opens no connection of its own. */
export const PoolBase: new (shown: PgConfig) => PoolBase = pg.Pool as never;

/** The pool that people hold, without the types of `pg`. */
export class FacePool extends PoolBase implements LeaseHost {
  static {
    // There are libraries that tell a pool from a client by this.
    Object.defineProperty(this, "name", { value: "Pool" });
  }

  readonly #db: Database;
  readonly #face: FaceOptions;
  readonly #running = new Running();
  readonly #stopHearing: () => void;

  constructor(db: Database, face: FaceOptions, shown: PgConfig) {
    super(shown);
    this.#db = db;
    this.#face = face;
    this.#stopHearing = hearEvents(this, db.pool.events);
  }

  get totalCount(): number {
    return this.#db.stats().total;
  }

  get idleCount(): number {
    return this.#db.stats().idle;
  }

  get waitingCount(): number {
    return this.#db.stats().waiting;
  }

  /** A connection that is too old is ended as soon as it is idle, so that none is ever counted here. */
  get expiredCount(): number {
    return 0;
  }

  query(...given: readonly unknown[]): unknown {
    const [config, second, third] = given;
    const [values, callback] = typeof second === "function" ? [undefined, second] : [second, third];
    if (typeof config === "function") {
      const message = "Passing a function as the first parameter to pool.query is not supported";
      setImmediate(config as Callback<never>, new Error(message));
      return undefined;
    }
    if (!isSubmittable(config)) return throughCallback(this.#run(config, values), callback);
    // A cursor or a stream is worked with; of a plain query, as it is of a text, the result is wanted.
    if (config instanceof pg.Query) return throughCallback(this.#result(config), callback);
    return this.#submit(config, callback);
  }

  connect(callback?: unknown): Promise<LentClient> | undefined {
    const lent = this.#lend();
    if (callback === undefined) return lent.then(({ client }) => client);
    lent.then(
      ({ client, release }) => call(callback, undefined, client, release),
      (error: unknown) => call(callback, error, undefined, () => undefined),
    );
    return undefined;
  }

  end(callback?: unknown): Promise<void> | undefined {
    const ended = this.ending ? Promise.reject(new Error("Called end on pool more than once")) : this.#end();
    return throughCallback(ended, callback);
  }

  acquired(client: LentClient): void {
    this._clients.push(client);
    this.emit("acquire", client);
  }

  released(error: unknown, client: LentClient): void {
    const at = this._clients.indexOf(client);
    if (at !== -1) this._clients.splice(at, 1);
    this.emit("release", error, client);
  }

  /** Where statements are repeated or resolved, those of lent clients are too. Their reads stay on the client's node. */
  autocommit(lease: Lease): Autocommit | undefined {
    if (!this.#face.clientsThroughStack) return undefined;
    const { pool } = this.#db;
    // A client is lent by the primary unless reads are wished for.
    const own: CallOptions = this.#face.call.access === "read" ? {} : { consistency: "strong" };
    return new Autocommit(lease.client, pool.dialect, (statement, client) =>
      pool.execute({
        ...this.#db.context({ ...this.#face.call, ...own }, () => accessOf(pool.dialect, statement)),
        kind: "query",
        statement,
        held: client,
        run: async (connection) => {
          try {
            return await connection.query(statement);
          } catch (error) {
            if (client._queryable === false) lease.abandon();
            throw error;
          }
        },
      }),
    );
  }

  #run(config: unknown, values: unknown): Promise<QueryResult> {
    return this.#call((options) => {
      const { pool } = this.#db;
      const statement = pgStatement(config, values);
      const run = (connection: Connection): Promise<QueryResult> => this.#observed(connection, statement);
      // Over which client it goes is known to those alone who listen.
      const heard = this.listenerCount("acquire") > 0 || this.listenerCount("release") > 0;
      return pool.execute({
        ...this.#db.context(options, () => accessOf(pool.dialect, statement)),
        kind: "query",
        statement,
        run,
        ...(heard ? {} : { runsStatement: run }),
      });
    });
  }

  /** One attempt at a statement, with the events of a client that is lent for it. */
  async #observed(connection: Connection, statement: Statement): Promise<QueryResult> {
    const client = connection.driver as LentClient;
    this.acquired(client);
    try {
      const result = await connection.query(statement);
      this.released(undefined, client);
      return result;
    } catch (error) {
      if (!this.#face.keepAfterError) connection.discard();
      this.released(error, client);
      throw error;
    }
  }

  #lend(): Promise<Lease> {
    return new Promise((resolve, reject) => {
      this.#session((connection) => {
        const lease = new Lease(connection, this);
        resolve(lease);
        return lease.ended;
      }).catch(reject);
    });
  }

  #submit(query: Submittable, callback: unknown): Submittable {
    const submission = new Submission(query, callback);
    this.#session((connection) => submission.run(connection, this)).catch((error: unknown) => submission.fail(error));
    return query;
  }

  #result(query: Submittable): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#submit(query, (error: unknown, result: unknown) => (error ? reject(error) : resolve(result)));
    });
  }

  #session(run: (connection: Connection) => Promise<void>): Promise<void> {
    return this.#call((options) =>
      this.#db.pool.execute<void>({ ...this.#db.context(options, () => "write"), kind: "session", run }),
    );
  }

  /** Begins a call, counted, with every trouble as a rejection. */
  #call<T>(begin: (options: CallOptions) => Promise<T>): Promise<T> {
    if (this.ending) return Promise.reject(new Error("Cannot use a pool after calling end on the pool"));
    try {
      return this.#running.add(begin(this.#face.call)).then(undefined, (error: unknown) => {
        throw inWordsOfPg(error);
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #end(): Promise<void> {
    this.ending = true;
    const { drainMs } = this.#face;
    const drained = await this.#running.drained(drainMs);
    await this.#db.close({ drainMs: drained ? drainMs : 0 });
    this.#stopHearing();
    this.ended = true;
  }
}

function accessOf(dialect: Dialect, { text }: Statement): Access {
  return dialect.classify(text) === "read" ? "read" : "write";
}

/** A wait for a connection that was too long has the words by which callers of `pg` know it. */
function inWordsOfPg(error: unknown): unknown {
  if (!(error instanceof TimeoutError) || (error.phase !== "acquire" && error.phase !== "connect")) return error;
  return new TimeoutError(error.pool, "timeout exceeded when trying to connect", failureOf(error), error);
}
