/**
 * The face that people hold: plain calls in, operations out. Policies never see it.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { Causality } from "./causality.ts";
import { type Clock, systemClock } from "./clock.ts";
import { messageOf, UsageError } from "./errors.ts";
import type { EventMap, Listener } from "./events.ts";
import {
  type Access,
  type Consistency,
  type OperationContext,
  operationContext,
  type Priority,
  queryOperation,
  type TransactionOptions,
} from "./operation.ts";
import { flag, knownOptions, nonNegativeMs, oneOf, positiveMs, text } from "./options.ts";
import type { CloseOptions, Connection, NodeStats, Pool, PoolStats, QueryResult, Statement } from "./pool.ts";
import { toStatement, Transaction } from "./transaction.ts";

/** What a caller may say of one call. */
export interface CallOptions {
  /** Read or write. @default what the statement's text says; for transactions and connections, write */
  readonly access?: Access;
  /** Running the call twice does no more than running it once: it may be repeated when its outcome is unknown. @default false */
  readonly idempotent?: boolean;
  /**
   * Sends an autocommit write as a transaction that can be resolved when its answer is lost. Needs `commitResolution` in
   * the stack, as the preset has it. @default what the stack says
   */
  readonly exactlyOnce?: boolean;
  /**
   * The caller's own name for this piece of work, for the ledger of `commitResolution`: a call under a name that has been
   * committed before returns the first outcome and does nothing.
   */
  readonly idempotencyKey?: string;
  /** Longest that the call may take, all attempts together, in milliseconds. @default what the stack says */
  readonly timeoutMs?: number;
  /** Ends the call. Its rejection is the signal's reason; a write that had been sent ends in `OutcomeUnknownError`. */
  readonly signal?: AbortSignal;
  /** @default "normal" */
  readonly priority?: Priority;
  /** How fresh a read must be. @default "session" */
  readonly consistency?: Consistency;
  /** Names the kind of call in events and metrics. */
  readonly label?: string;
}

/** How the database is. */
export interface Health {
  /** `ok`: all answers; `degraded`: it answers, but a node is down; `down`: it does not answer. */
  readonly status: "ok" | "degraded" | "down";
  /** How long the answer took, in milliseconds; undefined when there was none. */
  readonly latencyMs: number | undefined;
  /** Why it is down. */
  readonly error: unknown;
  readonly nodes: readonly NodeStats[];
}

/** Options of the face. */
export interface DatabaseOptions {
  /** Source of the time; the same as the stack's. @default systemClock */
  readonly clock?: Clock;
}

/** Options of a session. */
export interface SessionOptions {
  /** What another process's session has seen, as its `token` told. */
  readonly token?: string;
}

const CALL_OPTIONS = [
  "access",
  "idempotent",
  "exactlyOnce",
  "idempotencyKey",
  "timeoutMs",
  "signal",
  "priority",
  "consistency",
  "label",
] as const;
const TRANSACTION_OPTIONS = [...CALL_OPTIONS, "isolation", "readOnly", "deferrable"] as const;
const ISOLATIONS = ["read uncommitted", "read committed", "repeatable read", "serializable"] as const;

/** Makes the face of a finished stack. */
export function database(pool: Pool, options: DatabaseOptions = {}): Database {
  return new Database(pool, options);
}

/** A database, as service code uses it. */
export class Database {
  /** The stack behind it, for what works on pools. */
  readonly pool: Pool;
  readonly #clock: Clock;
  readonly #resolves: boolean;
  readonly #causality: Causality;
  // Calls made inside `runInSession` find their session here.
  readonly #sessions: AsyncLocalStorage<Causality>;
  readonly #parent: Database | undefined;

  constructor(
    pool: Pool,
    options: DatabaseOptions = {},
    session?: { readonly parent: Database; readonly causality: Causality },
  ) {
    if (typeof pool?.execute !== "function")
      throw new TypeError("database() must be given a pool, such as the result of fromPg()");
    this.pool = pool;
    this.#resolves = pool.layers.some((layer) => layer.name === "commit-resolution");
    this.#clock = knownOptions("database", options, ["clock"]).clock ?? systemClock;
    this.#parent = session?.parent;
    this.#causality = session?.causality ?? new Causality(false);
    this.#sessions = session === undefined ? new AsyncLocalStorage() : session.parent.#sessions;
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
      // Whatever is no object was meant as values, and is refused as such.
      const noOptions = typeof values !== "object" || values === null || Array.isArray(values) || options !== undefined;
      const given = noOptions ? options : (values as CallOptions);
      const made = toStatement(this.pool.name, statement, noOptions ? (values as readonly unknown[]) : undefined);
      const context = this.context(given, () => (this.pool.dialect.classify(made.text) === "read" ? "read" : "write"));
      return this.pool.execute(queryOperation<Row>(made, context));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Runs `run` in a transaction: committed when it returns, rolled back when it throws, run again as a whole when the
   * database asks for that. What `run` does elsewhere happens once per attempt.
   */
  async transaction<T>(
    run: (transaction: Transaction) => Promise<T>,
    options: CallOptions & TransactionOptions = {},
  ): Promise<T> {
    if (typeof run !== "function") throw new UsageError(this.pool.name, "transaction() was not given a function");
    const { isolation, readOnly, deferrable, ...callOptions } = knownOptions(
      "transaction",
      options,
      TRANSACTION_OPTIONS,
    );
    if (isolation !== undefined) oneOf("transaction.isolation", isolation, ISOLATIONS);
    if (readOnly !== undefined) flag("transaction.readOnly", readOnly);
    if (deferrable !== undefined) flag("transaction.deferrable", deferrable);
    let hooks: (() => unknown)[] = [];
    const value = await this.pool.execute<T>({
      ...this.context(callOptions, () => (readOnly === true ? "read" : "write")),
      kind: "transaction",
      transaction: {
        ...(isolation === undefined ? {} : { isolation }),
        ...(readOnly === undefined ? {} : { readOnly }),
        ...(deferrable === undefined ? {} : { deferrable }),
      },
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
          run: (connection) =>
            new Promise((done) => {
              resolve(new HeldConnection(this.pool.name, connection, done));
            }),
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
  session(options: SessionOptions = {}): Database {
    const { token } = knownOptions("session", options, ["token"]);
    const parent = this.#parent ?? this;
    return new Database(this.pool, { clock: this.#clock }, { parent, causality: new Causality(true, token) });
  }

  /**
   * Runs a function in a session of its own: every call of this `Database` made inside it, however deep, belongs to it.
   * @throws RangeError when `token` is none.
   */
  runInSession<T>(run: () => T, options: SessionOptions = {}): T {
    const { token } = knownOptions("session", options, ["token"]);
    return this.#sessions.run(new Causality(true, token), run);
  }

  /**
   * What has been written and seen so far, as an opaque text for another process: a header, a cookie, a message. Inside
   * `runInSession`, that session's.
   */
  get token(): string {
    return this.#causal.token;
  }

  /** Includes what another process has written and seen. @throws RangeError when the text is no token. */
  include(token: string): void {
    this.#causal.merge(token);
  }

  get #causal(): Causality {
    return this.#parent === undefined ? (this.#sessions.getStore() ?? this.#causality) : this.#causality;
  }

  /** An immutable snapshot of pool, policies and nodes. */
  stats(): PoolStats {
    return this.pool.stats();
  }

  /** Asks the database for an answer, and says how its nodes stand. Never rejects for a database that is down. */
  async health(options: { readonly timeoutMs?: number } = {}): Promise<Health> {
    const { timeoutMs = 2_000 } = knownOptions("health", options, ["timeoutMs"]);
    positiveMs("health.timeoutMs", timeoutMs);
    const started = this.#clock.now();
    const outcome = await this.query("SELECT 1", { timeoutMs, access: "read", consistency: "eventual" }).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    const { nodes } = this.pool.stats();
    const primary = nodes.find((node) => node.role === "primary" && node.state === "up");
    if (outcome !== undefined || (nodes.length > 0 && primary === undefined)) {
      return { status: "down", latencyMs: undefined, error: outcome?.error, nodes };
    }
    const status = nodes.every((node) => node.state === "up") ? "ok" : "degraded";
    return { status, latencyMs: this.#clock.now() - started, error: undefined, nodes };
  }

  /** Hears an event until the returned function is called. A listener that throws breaks no call. */
  on<Name extends keyof EventMap>(name: Name, listener: Listener<Name>): () => void {
    return this.pool.events.on(name, listener);
  }

  /** Refuses new calls, waits for running ones up to `drainMs`, then ends every connection. Idempotent. */
  async close(options: CloseOptions = {}): Promise<void> {
    const { drainMs } = knownOptions("close", options, ["drainMs"]);
    // Before the policies hear of it: a stack that is closed in part is neither open nor closed.
    if (drainMs !== undefined) nonNegativeMs("close.drainMs", drainMs);
    if (this.#parent === undefined) await this.pool.close(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * What is known of a call with these options, for a face that makes operations of its own: `access` is asked when the
   * options do not say it.
   */
  context(options: CallOptions | undefined, access: () => Access): OperationContext {
    const causality = this.#causal;
    if (options === undefined) return { ...operationContext(access()), causality };
    const given = checkCall(options);
    if ((given.exactlyOnce === true || given.idempotencyKey !== undefined) && !this.#resolves) {
      throw new UsageError(this.pool.name, "exactlyOnce and idempotencyKey need commitResolution in the stack");
    }
    const { timeoutMs } = given;
    const base = operationContext(given.access ?? access());
    return {
      ...base,
      accessSaid: given.access !== undefined,
      // What stands in the ledger under its key is not done again, so such a call may be repeated.
      idempotent: given.idempotent ?? given.idempotencyKey !== undefined,
      exactlyOnce: given.exactlyOnce,
      idempotencyKey: given.idempotencyKey,
      deadline: timeoutMs === undefined ? base.deadline : this.#clock.now() + timeoutMs,
      signal: given.signal,
      priority: given.priority ?? base.priority,
      consistency: given.consistency ?? base.consistency,
      causality,
      label: given.label,
    };
  }
}

function checkCall(options: CallOptions): CallOptions {
  const given = knownOptions("call", options, CALL_OPTIONS);
  if (given.access !== undefined) oneOf("call.access", given.access, ["read", "write"]);
  if (given.idempotent !== undefined) flag("call.idempotent", given.idempotent);
  if (given.exactlyOnce !== undefined) flag("call.exactlyOnce", given.exactlyOnce);
  if (given.idempotencyKey !== undefined) text("call.idempotencyKey", given.idempotencyKey);
  if (given.timeoutMs !== undefined) positiveMs("call.timeoutMs", given.timeoutMs);
  if (given.priority !== undefined) oneOf("call.priority", given.priority, ["critical", "normal", "sheddable"]);
  if (given.consistency !== undefined) oneOf("call.consistency", given.consistency, ["eventual", "session", "strong"]);
  if (given.label !== undefined) text("call.label", given.label);
  if (given.signal !== undefined && !(given.signal instanceof AbortSignal)) {
    throw new TypeError("option call.signal must be an AbortSignal");
  }
  return given;
}

/** Runs what was to be done after the commit. The commit stands, so a hook's error is told, never thrown. */
async function runHooks(hooks: readonly (() => unknown)[]): Promise<void> {
  for (const hook of hooks) {
    try {
      await hook();
    } catch (error) {
      process.emitWarning(`an afterCommit() hook threw: ${messageOf(error)}`, { code: "BREAKWATER_HOOK" });
    }
  }
}

/** A borrowed connection. */
export class HeldConnection {
  readonly #pool: string;
  readonly #connection: Connection;
  #done: (() => void) | undefined;

  constructor(pool: string, connection: Connection, done: () => void) {
    this.#pool = pool;
    this.#connection = connection;
    this.#done = done;
  }

  /** The driver's own connection. */
  get driver(): unknown {
    return this.#connection.driver;
  }

  /** Runs one statement on this connection. */
  query<Row = Record<string, unknown>>(
    statement: string | Statement,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    try {
      if (this.#done === undefined)
        throw new UsageError(this.#pool, "a connection was used after it had been released");
      return this.#connection.query<Row>(toStatement(this.#pool, statement, values));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Gives the connection back. An open transaction is rolled back before anyone else gets the connection.
   * @throws UsageError when it has been given back before.
   */
  release(): void {
    const done = this.#done;
    if (done === undefined) throw new UsageError(this.#pool, "a connection was released twice");
    this.#done = undefined;
    done();
  }

  /** Gives the connection back to be ended, not reused. @throws UsageError when it has been given back before. */
  destroy(): void {
    // Given back before, it is not ours to discard.
    if (this.#done !== undefined) this.#connection.discard();
    this.release();
  }

  [Symbol.dispose](): void {
    if (this.#done !== undefined) this.release();
  }
}
