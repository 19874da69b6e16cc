/**
 * The only place that says begin, commit and rollback.
 */
import { Opening, together } from "./beginning.ts";
import type { CallHost } from "./call-host.ts";
import { RolledBackError, type TransactionIdentity, UsageError } from "../contract/errors.ts";
import { type Failure, failureOf } from "../contract/failure.ts";
import type { TransactionOperation } from "../contract/operation.ts";
import { ConnectionFace } from "../face/connection-face.ts";
import type { TransactionLink } from "./transaction-link.ts";
import type { Connection, Pool, QueryResult, Statement, Work } from "../contract/pool.ts";

const NEVER_RETRIED: Failure = {
  phase: "committing",
  effect: "none",
  retry: "never",
  blames: "statement",
  connection: "keep",
  reason: "rolled back at COMMIT",
};

/** The error of `pool` for COMMIT that was answered with ROLLBACK: `first` is the failure of a statement before, and why. */
export function rolledBack(pool: string, first: Failure | undefined): RolledBackError {
  const failure: Failure = first === undefined ? NEVER_RETRIED : { ...first, phase: "committing" };
  return new RolledBackError(pool, "one of its statements had failed", undefined, failure);
}

/**
 * COMMIT of a failed transaction, sent by hand, is answered with ROLLBACK; its caller believes that it was kept.
 * @param host names the pool and its dialect.
 * @param first the failure of the statement that failed first.
 * @throws RolledBackError when that is so.
 */
export function kept<Row>(answer: QueryResult<Row>, host: CallHost, first: Failure | undefined): QueryResult<Row> {
  if (host.dialect.committed(answer as QueryResult)) return answer;
  throw rolledBack(host.name, first === undefined ? undefined : { ...first, retry: "never" });
}

/** Begin, the caller's function, commit; rollback when the function throws. `host` names the pool and its dialect. */
export async function runTransaction<T>(
  link: TransactionLink,
  operation: TransactionOperation<T>,
  host: CallHost,
): Promise<T> {
  const { dialect, name } = host;
  const opening = new Opening(link, operation, host);
  const begun = opening.begin();
  if (begun !== undefined) await begun;
  const connection = new OpenTransaction(link, opening, name);
  let value: T;
  try {
    const running = operation.run(connection, operation.attempt);
    // A function that does something else first finds the transaction begun.
    opening.ahead();
    value = await running;
  } catch (error) {
    connection.end();
    await link.rollBack(opening.waits ? undefined : { text: dialect.transaction.rollback }, error);
    throw error;
  }
  connection.end();
  await link.settled();
  const { identity } = opening;
  if (identity !== undefined) link.askAfter({ transaction: identity, value });
  const answer = await commit(link, operation, identity, host);
  if (answer !== undefined && !dialect.committed(answer)) {
    throw rolledBack(name, link.firstFailure);
  }
  const point = answer === undefined ? undefined : dialect.commitPosition?.read(answer);
  if (operation.access === "write") operation.causality?.wrote(point);
  return value;
}

/** Pools on which the question for the position has been refused: there COMMIT is sent alone. */
const withoutPosition = new WeakSet<CallHost>();

/**
 * Commits, and asks for the commit's position in the same message where somebody keeps count. Answers with what the
 * server said; undefined when only the question behind COMMIT failed.
 */
async function commit<T>(
  link: TransactionLink,
  { causality, access }: TransactionOperation<T>,
  identity: TransactionIdentity | undefined,
  host: CallHost,
): Promise<QueryResult | undefined> {
  const { transaction, commitPosition, resolution } = host.dialect;
  const counted = identity !== undefined && causality !== undefined && access === "write" && !withoutPosition.has(host);
  if (!counted || commitPosition === undefined || resolution === undefined) {
    return await link.commit({ text: transaction.commit });
  }
  try {
    return await link.commit(together([{ text: transaction.commit }, { text: commitPosition.questionText }]));
  } catch (error) {
    const failure = failureOf(error);
    if (failure.effect === "unknown") throw error;
    // The server said an error, but not whether of COMMIT or of the question behind it. It still knows.
    const outcome = await resolution.outcome(link, identity).catch(() => "unprovable" as const);
    if (outcome === "rolled-back") throw error;
    if (outcome !== "committed") throw link.doubt(error);
    if (failure.blames === "statement") withoutPosition.add(host);
    return undefined;
  }
}

/** The connection as the caller's function has it: until the transaction ends, and not a statement longer. */
class OpenTransaction implements Connection {
  readonly #link: TransactionLink;
  readonly #opening: Opening;
  readonly #pool: string;
  #ended = false;

  constructor(link: TransactionLink, opening: Opening, pool: string) {
    this.#link = link;
    this.#opening = opening;
    this.#pool = pool;
  }

  /** Whoever has it may send by it at once. */
  get driver(): unknown {
    if (!this.#ended) {
      this.#opening.ahead();
      this.#link.carrier?.shown();
    }
    return this.#link.driver;
  }

  query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    return this.#ended ? Promise.reject(ended(this.#pool)) : this.#opening.query<Row>(statement);
  }

  work<R>(work: Work<R>): Promise<R> {
    if (this.#ended) return Promise.reject(ended(this.#pool));
    this.#opening.ahead();
    return this.#link.work(work);
  }

  discard(): void {
    this.#link.discard();
  }

  end(): void {
    this.#ended = true;
  }
}

function ended(pool: string): UsageError {
  return new UsageError(pool, "the transaction has ended; its function used it afterwards");
}

/** What the function given to `db.transaction` works with. */
export class Transaction extends ConnectionFace {
  /** Which go at the transaction this is, from 1. What the function does outside the database happens once per attempt. */
  readonly attempt: number;
  readonly #pool: Pool;
  readonly #connection: Connection;
  readonly #hooks: (() => unknown)[];
  readonly #depth: number;
  // A part of it that runs now. Statements from outside would land in the part's savepoint, and be undone with it.
  #part: Transaction | undefined;
  #partRuns = false;
  #ended = false;

  constructor(pool: Pool, connection: Connection, attempt: number, hooks: (() => unknown)[], depth = 0) {
    super(pool);
    this.#pool = pool;
    this.#connection = connection;
    this.attempt = attempt;
    this.#hooks = hooks;
    this.#depth = depth;
  }

  /** The driver's own connection. A transaction must not be ended through it. */
  get driver(): unknown {
    return this.#connection.driver;
  }

  protected use(): Connection {
    this.#check();
    return this.#connection;
  }

  /**
   * Runs a part of the transaction that can fail on its own: a savepoint. When `run` throws, what it did is undone, and
   * the rest of the transaction can go on. Until then only `run` may use the transaction, through what it is given.
   */
  async transaction<T>(run: (transaction: Transaction) => Promise<T>): Promise<T> {
    if (typeof run !== "function") throw new UsageError(this.#pool.name, "transaction() was not given a function");
    this.free();
    const texts = this.#pool.dialect.transaction;
    const name = `breakwater_${this.#depth + 1}`;
    const hooks: (() => unknown)[] = [];
    this.#partRuns = true;
    try {
      await this.#send(texts.savepoint(name));
      this.#part = new Transaction(this.#pool, this.#connection, this.attempt, hooks, this.#depth + 1);
      try {
        const value = await Transaction.run(this.#part, run);
        await this.#send(texts.releaseSavepoint(name));
        this.#hooks.push(...hooks);
        return value;
      } catch (error) {
        await this.#send(texts.rollbackToSavepoint(name)).catch(() => undefined);
        throw error;
      }
    } finally {
      this.#part = undefined;
      this.#partRuns = false;
    }
  }

  /**
   * Runs a function with a transaction, which is of no use afterwards. For faces.
   * @throws UsageError when the function did not wait for a part: it would be committed as far as it has got.
   */
  static async run<T>(transaction: Transaction, run: (transaction: Transaction) => Promise<T>): Promise<T> {
    try {
      const value = await run(transaction);
      if (transaction.#partRuns) throw transaction.#misuse("its function did not wait for a transaction() inside it");
      const left = transaction.leave(transaction.#connection);
      if (left !== undefined) throw transaction.#misuse(`its function did not read ${left} to its end`);
      return value;
    } finally {
      transaction.leave(transaction.#connection);
      transaction.#end();
    }
  }

  #end(): void {
    this.#ended = true;
    if (this.#part !== undefined) this.#part.#end();
  }

  #check(): void {
    if (this.#ended) throw this.#misuse("it has ended; its function used it afterwards");
    if (this.#partRuns) throw this.#misuse("it was used while a transaction() inside it runs; use what that was given");
  }

  #misuse(what: string): UsageError {
    return new UsageError(this.#pool.name, `wrong use of a transaction: ${what}`);
  }

  #send(text: string): Promise<unknown> {
    return this.#ended ? Promise.reject(this.#misuse("it has ended")) : this.#connection.query({ text });
  }

  /** Calls `run` once the transaction is known to be committed; never when it is rolled back or its outcome is unknown. */
  afterCommit(run: () => unknown): void {
    if (typeof run !== "function") throw new UsageError(this.#pool.name, "afterCommit() was not given a function");
    if (this.#ended) throw this.#misuse("it has ended; nothing would call the hook");
    this.#hooks.push(run);
  }
}
