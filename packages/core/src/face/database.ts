/**
 * The face that people hold: plain calls in, operations out. Policies never see it.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { callContext } from "./call-context.ts";
import { type CallOptions, checkTransaction, checkUsual, overlaid, type SessionOptions } from "./call-options.ts";
import { Causality } from "../contract/causality.ts";
import { type Clock, type Random, systemClock } from "../waiting/clock.ts";
import { type Controls, controlsOf } from "../contract/controls.ts";
import { UsageError } from "../contract/errors.ts";
import type { EventMap, Listener } from "../contract/events.ts";
import { type Explained, explained } from "../trace/explain.ts";
import { Bulk } from "./bulk.ts";
import { Completion } from "./completion.ts";
import { type Health, healthOf, type HealthOptions } from "./health.ts";
import { runHooks } from "./hooks.ts";
import { Listening } from "./listening.ts";
import { apart, toStatement } from "./statement.ts";
import { HeldConnection } from "../call/held-connection.ts";
import {
  type Access,
  type OperationContext,
  operationContext,
  queryOperation,
  type TransactionOptions,
} from "../contract/operation.ts";
import { knownOptions, nonNegativeMs } from "../contract/options.ts";
import type { CloseOptions, Pool, PoolBounds, PoolStats, QueryResult, Statement } from "../contract/pool.ts";
import { Transaction } from "../call/transaction.ts";

/** Options of the face. */
export interface DatabaseOptions {
  /** Source of the time; the same as the stack's. @default systemClock */
  readonly clock?: Clock;
  /** Dice for the pauses of `listen`. @default Math.random */
  readonly random?: Random;
}

/** What a face that was made of another has of its own. */
interface Beside {
  readonly parent: Database;
  readonly causality?: Causality;
  readonly usual?: CallOptions | undefined;
}

/** Makes the face of a finished stack. */
export function database(pool: Pool, options: DatabaseOptions = {}): Database {
  return new Database(pool, options);
}

/** A database, as service code uses it. */
export class Database extends Bulk {
  /** The stack behind it, for what works on pools. */
  readonly pool: Pool;
  /** The clock that its limits are measured by. */
  protected readonly clock: Clock;
  protected readonly resolves: boolean;
  readonly #random: Random;
  #listening: Listening | undefined;
  // Of this face and all that were made of it, while somebody listens: they end with it.
  readonly #listenings: Set<Listening>;
  readonly #causality: Causality;
  // Calls made inside `runInSession` find their session here.
  #sessions: AsyncLocalStorage<Causality> | undefined;
  // The face whose session this one's calls belong to.
  readonly #home: Database;
  readonly #parent: Database | undefined;
  readonly #usual: CallOptions | undefined;

  constructor(pool: Pool, options: DatabaseOptions = {}, beside?: Beside) {
    super();
    if (typeof pool?.execute !== "function")
      throw new TypeError("database() must be given a pool, such as the result of fromPg()");
    this.pool = pool;
    this.resolves = pool.layers.some((layer) => layer.name === "commit-resolution");
    const { clock = systemClock, random = Math.random } = knownOptions("database", options, ["clock", "random"]);
    this.clock = clock;
    this.#random = random;
    const parent = beside?.parent;
    this.#parent = parent;
    this.#listenings = parent === undefined ? new Set() : parent.#listenings;
    this.#usual = beside?.usual;
    this.#causality = beside?.causality ?? new Causality(false);
    this.#home = parent === undefined || beside?.causality !== undefined ? this : parent.#home;
  }

  /**
   * Runs one statement: `query(text, values?, options?)` or `query({ text, values, … }, options?)`.
   * @throws the driver's own error, the same object; a `RejectedError` when it was not sent; a `TimeoutError`; an
   * `OutcomeUnknownError` when it may have been carried out.
   */
  query<Row = Record<string, unknown>>(
    statement: string | Statement,
    values?: readonly unknown[] | CallOptions,
    options?: CallOptions,
  ): Promise<QueryResult<Row>> {
    try {
      const [parameters, given] = apart(values, options);
      const made = toStatement(this.pool.name, statement, parameters);
      const context = this.context(given, () => (this.pool.dialect.classify(made.text) === "read" ? "read" : "write"));
      return this.pool.execute(queryOperation<Row>(made, context));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Runs `run` in a transaction: committed when it returns, rolled back when it throws, run again as a whole when the
   * database asks for that. What `run` does elsewhere happens once per attempt, before its first statement even in one that
   * turns out not to have begun.
   */
  async transaction<T>(
    run: (transaction: Transaction) => Promise<T>,
    options: CallOptions & TransactionOptions = {},
  ): Promise<T> {
    if (typeof run !== "function") throw new UsageError(this.pool.name, "transaction() was not given a function");
    const { begins, call } = checkTransaction(options);
    let hooks: (() => unknown)[] = [];
    const value = await this.pool.execute<T>({
      ...this.context(call, () => (begins.readOnly === true ? "read" : "write")),
      kind: "transaction",
      transaction: begins,
      run: async (connection, attempt) => {
        hooks = [];
        return Transaction.run(new Transaction(this.pool, connection, attempt, hooks), run);
      },
    });
    await runHooks(hooks);
    return value;
  }

  /** Borrows a connection until `release()`. What is done on it is never repeated. */
  connect(options: CallOptions = {}): Promise<HeldConnection> {
    return new Promise((resolve, reject) => {
      const context = this.context(options, () => "write");
      this.pool
        .execute<void>({
          ...context,
          kind: "session",
          run: (connection) => {
            const ended = new Completion();
            resolve(new HeldConnection(this.pool, connection, () => ended.complete()));
            return ended;
          },
        })
        // Once the connection is handed out this is a no-op: its holder hears of trouble from its own statements.
        .catch(reject);
    });
  }

  /**
   * A `Database` whose reads see its own writes, and what its token stands for, and never go back in time. It shares
   * the stack: closing it ends nothing.
   * @throws RangeError when `token` is none.
   */
  session(options: SessionOptions = {}): this {
    const { token } = knownOptions("session", options, ["token"]);
    return this.#beside(this.pool, { causality: new Causality(true, token) });
  }

  /**
   * A `Database` whose calls have these options unless they say their own; an option that is `undefined` says nothing. It
   * shares the stack and the session: closing it ends nothing.
   * @throws OptionError when an option is unknown or out of range, and for an `idempotencyKey`, which is of one call.
   */
  with(usual: CallOptions): this {
    return this.#beside(this.pool, { usual: { ...this.#usual, ...checkUsual(usual) } });
  }

  #beside(pool: Pool, own: Omit<Beside, "parent">): this {
    const options = { clock: this.clock, random: this.#random };
    return this.face(pool, options, { usual: this.#usual, ...own, parent: this }) as this;
  }

  /** A face made of this one, for `with`, `session` and `explain`: in a class that has more to it, one of that class. */
  protected face(pool: Pool, options: DatabaseOptions, beside: Beside): Database {
    return new Database(pool, options, beside);
  }

  /**
   * Runs a function in a session of its own: every call of this `Database` made inside it, however deep, belongs to it.
   * @throws RangeError when `token` is none.
   */
  runInSession<T>(run: () => T, options: SessionOptions = {}): T {
    const { token } = knownOptions("session", options, ["token"]);
    this.#home.#sessions ??= new AsyncLocalStorage();
    return this.#home.#sessions.run(new Causality(true, token), run);
  }

  /**
   * What has been written and seen so far, as an opaque text for another process: a header, a cookie, a message. Inside
   * `runInSession`, that session's.
   */
  get token(): string {
    return this.#causal.token;
  }

  /**
   * Includes what another process has written and seen: outside of sessions for all callers, so not what comes from a browser.
   * @throws RangeError when the text is no token.
   */
  include(token: string): void {
    this.#causal.merge(token);
  }

  get #causal(): Causality {
    return this.#home.#sessions?.getStore() ?? this.#home.#causality;
  }

  /** What is listened to, opened by the first `listen`. */
  protected get listening(): Listening {
    const parent = this.#parent;
    if (parent !== undefined && parent.#usual === this.#usual) return parent.listening;
    // What it does changes nothing that a read would have to see.
    const context = (): OperationContext => ({
      ...this.context({ access: "write" }, () => "write"),
      causality: undefined,
    });
    if (this.#listening === undefined) {
      const { pool, clock } = this;
      this.#listening = new Listening({ pool, clock, random: this.#random, context, open: this.#listenings });
    }
    return this.#listening;
  }

  /** Runs calls and tells of each how it went: its layers, the nodes tried and why, its waits, its end. Never rejects. */
  explain<T>(run: (db: Database) => Promise<T>): Promise<Explained<T>> {
    return explained(this.pool, this.clock, async (pool) => run(this.#beside(pool, { causality: this.#causal })));
  }

  /** An immutable snapshot of pool, policies and nodes. */
  stats(): PoolStats {
    return this.pool.stats();
  }

  /**
   * Asks the database for an answer, and says how its nodes stand. Never rejects for a database that is down. Where there are
   * several by `destinations`, all that there always are: `down` tells of the default, `degraded` of any; where this face
   * has a `destination`, or a `tenant` that leads to one, that one.
   */
  health(options: HealthOptions = {}): Promise<Health> {
    return healthOf(this, this.clock, options);
  }

  /** What may be changed while it runs: every policy's limits, by name. */
  get controls(): Controls {
    return controlsOf(this.pool);
  }

  /** Hears an event until the returned function is called. A listener that throws breaks no call. */
  on<Name extends keyof EventMap>(name: Name, listener: Listener<Name>): () => void {
    return this.pool.events.on(name, listener);
  }

  /** Opens the connections to be kept, on every node, or one on each. @throws the driver's error, or a `TimeoutError`. */
  async ready(): Promise<void> {
    await this.pool.ready?.();
  }

  /**
   * Changes how many connections are kept and how many there may be, on every node; nothing that runs or waits is
   * disturbed. @throws OptionError when a bound is out of range; UsageError when the size is not the pool's to decide.
   */
  resize(bounds: PoolBounds): void {
    if (this.pool.resize === undefined) throw new UsageError(this.pool.name, "its size cannot be changed");
    this.pool.resize(knownOptions("resize", bounds, ["min", "max"]));
  }

  /** Refuses new calls, waits for running ones up to `drainMs`, then ends every connection. Idempotent. */
  async close(options: CloseOptions = {}): Promise<void> {
    const { drainMs } = knownOptions("close", options, ["drainMs"]);
    // Before the policies hear of it: a stack that is closed in part is neither open nor closed.
    if (drainMs !== undefined) nonNegativeMs("close.drainMs", drainMs);
    if (this.#parent !== undefined) return;
    // Without anything to wait for the pool hears of it at once: the first word on `drainMs` counts.
    if (this.#listenings.size > 0) await Promise.all([...this.#listenings].map((listening) => listening.close()));
    await this.pool.close(options);
  }

  /** Closes it: `await using db = breakwater()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * What is known of a call with these options, for a face that makes operations of its own: `access` is asked when the
   * options do not say it.
   */
  context(options: CallOptions | undefined, access: () => Access): OperationContext {
    const causality = this.#causal;
    const usual = this.#usual;
    const given = usual === undefined ? options : options === undefined ? usual : overlaid(usual, options);
    if (given === undefined) return { ...operationContext(access()), causality };
    return callContext(given, { pool: this.pool, resolves: this.resolves, clock: this.clock, causality, access });
  }
}
