/**
 * A `pg.Client` before which a stack stands: for code and libraries that make clients themselves.
 */
import type { CallOptions, QueryResult, Statement } from "@breakwater/core";
import type { EventEmitter } from "node:events";
import pg from "pg";
import { askForPassword } from "../password.ts";
import type { PgConfig } from "../types.ts";
import { throughCallback } from "./callback.ts";
import type { LentClient, Submittable } from "./client.ts";
import { type PgClientConfig, type ReadConfig, readClientConfig } from "./client-options.ts";
import { Seat, type SeatHost } from "./seat.ts";
import { enterStack, type SharedStack } from "./shared-stacks.ts";
import { pgStatement } from "./statement.ts";
import { isSubmittable } from "./submit.ts";
import { ClientTurns } from "./turns.ts";

/** What is used of the superclass. Its methods have more overloads than a subclass could be held to. */
interface ClientBase extends EventEmitter {
  host: string | undefined;
  port: number | undefined;
  readonly user: string | undefined;
  readonly database: string | undefined;
  readonly replication?: unknown;
  connection: unknown;
  processID: unknown;
  secretKey: unknown;
  _types: unknown;
  _connecting: boolean;
  _connected: boolean;
  _queryable: boolean;
  _ending: boolean;
  _ended: boolean;
  connect(callback?: unknown): unknown;
  query(...given: readonly unknown[]): unknown;
  end(callback?: unknown): unknown;
  setTypeParser(...given: readonly unknown[]): unknown;
}

/** `pg.Client`: there for `instanceof`, and for what it makes of its configuration. It opens no link of its own. */
const ClientBase: new (config: PgConfig) => ClientBase = pg.Client as never;

class StackedClient extends ClientBase implements SeatHost {
  static {
    // There are libraries that tell a pool from a client by this.
    Object.defineProperty(this, "name", { value: "Client" });
  }

  readonly #config: ReadConfig;
  readonly #turns = new ClientTurns(() => {
    if (this.#used) this.emit("drain");
  });
  readonly #over = new AbortController();
  // A link of somebody's own making, or one for replication, has nothing that a stack could stand before.
  readonly #plain: boolean;
  // Whether values are read in a way of this client's own.
  #typed: boolean;
  #shared: SharedStack | undefined;
  #seat: Seat | undefined;
  #client: LentClient | undefined;
  // Statements that were asked for before `connect`, as `pg` takes them too, wait for it.
  #begin: () => void = () => undefined;
  #referenced = true;
  #used = false;
  #ended: Promise<void> | undefined;

  constructor(given?: string | PgClientConfig) {
    const config = readClientConfig(given);
    super(config.own);
    askForPassword(this, config.own);
    this.#config = config;
    this.#plain = config.own["connection"] !== undefined || Boolean(this.replication);
    this.#typed = config.own["types"] !== undefined;
    if (!this.#plain) void this.#turns.take(() => new Promise<void>((resolve) => (this.#begin = resolve)));
  }

  override connect(callback?: unknown): unknown {
    if (this.#plain) return super.connect(callback);
    const connected = this.#connect();
    // Who ends a client at once has not asked how its connecting went.
    connected.catch(() => {
      if (this._ending) unheard.catch(() => undefined);
    });
    const unheard = throughCallback(connected, callback) ?? connected;
    return callback === undefined ? unheard : undefined;
  }

  override query(...given: readonly unknown[]): unknown {
    if (this.#plain) return super.query(...given);
    const [config, second, third] = given;
    if (config === undefined || config === null) throw new TypeError("Client was passed a null or undefined query");
    const [values, called] = typeof second === "function" ? [undefined, second] : [second, third];
    if (isSubmittable(config)) return this.#submit(config, called);
    const callback = called ?? (config as { readonly callback?: unknown }).callback ?? undefined;
    if (callback !== undefined && typeof callback !== "function") throw new TypeError("callback is not a function");
    return throughCallback(this.#run(config, values), callback);
  }

  override end(callback?: unknown): unknown {
    if (this.#plain) return super.end(callback);
    this._ending = true;
    return throughCallback((this.#ended ??= this.#end()), callback);
  }

  override setTypeParser(...given: readonly unknown[]): unknown {
    this.#typed = true;
    return super.setTypeParser(...given);
  }

  getTransactionStatus(): string | null {
    return this.#client?.getTransactionStatus?.() ?? null;
  }

  ref(): void {
    this.#referenced = true;
    this.#client?.ref?.();
  }

  unref(): void {
    this.#referenced = false;
    this.#client?.unref?.();
  }

  moved(client: LentClient): void {
    this.#client = client;
    this.host = client.host;
    this.port = client.port;
    this.connection = client.connection;
    this.processID = client.processID;
    this.secretKey = client.secretKey;
    if (!this.#referenced) client.unref?.();
  }

  heard(event: "notice" | "notification", argument: unknown): void {
    this.emit(event, argument);
  }

  lost(error: Error): void {
    this._queryable = false;
    this.#shared?.leave();
    // As with a pool, nobody has to hear of it: the next statement tells.
    if (this.listenerCount("error") > 0) this.emit("error", error);
    if (!this._ending) this.#over.abort(error);
    this.#goodbye();
  }

  async #connect(): Promise<this> {
    if (this._connecting || this._connected || this._ending) {
      throw new Error("Client has already been connected. You cannot reuse a client.");
    }
    this._connecting = true;
    const { key, stack, face } = this.#config;
    const completed = this.#completed();
    try {
      this.#shared = enterStack(key(completed), () => stack(completed));
      const { drainMs: _, ...call } = face;
      const signals = call.signal === undefined ? [this.#over.signal] : [this.#over.signal, call.signal];
      const options: CallOptions = { ...call, signal: AbortSignal.any(signals) };
      this.#seat = new Seat(this.#shared.db, options, this);
      await this.#seat.take();
      if (this._ending && !this.#used) throw new Error("Connection terminated");
    } catch (error) {
      this._queryable = false;
      this.#shared?.leave();
      this.#goodbye();
      throw error;
    } finally {
      this._connecting = false;
      this.#begin();
    }
    this._connected = true;
    this.emit("connect");
    return this;
  }

  /** What the environment and `pg.defaults` say where the configuration does not. */
  #completed(): PgConfig {
    const { host, port, user, database } = this;
    return {
      ...(host === undefined ? {} : { host }),
      ...(port === undefined ? {} : { port }),
      ...(user === undefined ? {} : { user }),
      ...(database === undefined || database === null ? {} : { database }),
    };
  }

  async #run(config: unknown, values: unknown): Promise<QueryResult> {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    const statement = this.#withTypes(pgStatement(config, values));
    this.#used = true;
    return this.#turns.take(() => {
      const seat = this.#seat;
      return seat === undefined || !this._queryable ? Promise.reject(this.#refusal()) : seat.run(statement);
    });
  }

  #submit(query: Submittable, callback: unknown): Submittable {
    const own = query as { callback?: unknown; readonly _result?: { _types?: unknown } };
    if (typeof callback === "function") own.callback ??= callback;
    if (this.#typed && own._result !== undefined) own._result._types ??= this._types;
    const refusal = this.#refusal();
    this.#used ||= refusal === undefined;
    const sent =
      refusal === undefined
        ? this.#turns.take(async () => {
            if (this.#seat === undefined || !this._queryable) throw this.#refusal();
            await this.#seat.submit(query);
          })
        : Promise.reject(refusal);
    sent.catch((error: unknown) => process.nextTick(() => query.handleError?.(error, this.connection)));
    return query;
  }

  #withTypes(statement: Statement): Statement {
    if (!this.#typed || (statement as { readonly types?: unknown }).types !== undefined) return statement;
    return { ...statement, types: this._types } as Statement;
  }

  /** Why nothing can be sent, in the words of `pg`. */
  #refusal(): Error | undefined {
    if (!this._queryable) return new Error("Client has encountered a connection error and is not queryable");
    return this._ending ? new Error("Client was closed and is not queryable") : undefined;
  }

  async #end(): Promise<void> {
    if (this.#seat === undefined && !this._connecting) {
      // Never connected: what waits for that waits in vain.
      this._queryable = false;
      this.#begin();
      return;
    }
    const cutOff = setTimeout(() => this.#over.abort(new Error("Connection terminated")), this.#config.drainMs);
    // What has been asked for already is waited for; nobody waits for a connection alone.
    if (!this._connected && !this.#used) this.#over.abort(new Error("Connection terminated"));
    this.#seat?.closeCursor();
    await this.#turns.over();
    clearTimeout(cutOff);
    await this.#seat?.leave();
    this.#over.abort(new Error("Connection terminated"));
    this.#shared?.leave();
    this.#goodbye();
  }

  #goodbye(): void {
    if (this._ended) return;
    this._ended = true;
    // After whoever waits for `connect` or `end` has heard of it.
    setImmediate(() => this.emit("end"));
  }
}

/** The constructor of a `pg.Client` before which a stack stands. */
export type ClientConstructor = new (config?: string | PgClientConfig) => pg.Client;

/**
 * A `pg.Client` before which a stack stands, which all clients of its configuration share. Its connection is its own; it
 * gets another one when that is lost and nothing is lost with it. `Client` of `breakwater/pg` has the recommended stack.
 */
export const Client: ClientConstructor = StackedClient as unknown as ClientConstructor;
export type Client = pg.Client;
