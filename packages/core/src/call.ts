/**
 * One call on one connection: what may end it before its time, what its errors mean, and how the connection goes back.
 */
import { abortReason } from "./bounded.ts";
import type { Clock, Timer } from "./clock.ts";
import type { Dialect } from "./dialect.ts";
import type { DriverConnection } from "./driver.ts";
import { OutcomeUnknownError, TimeoutError, type Unanswered, UsageError } from "./errors.ts";
import type { Events } from "./events.ts";
import {
  type Blame,
  type Failure,
  failureOf,
  noteFailure,
  recordedFailure,
  type RetryAdvice,
  type Situation,
} from "./failure.ts";
import type { Operation } from "./operation.ts";
import type { Connection, QueryResult, Statement } from "./pool.ts";
import { runTransaction, type TransactionLink } from "./transaction.ts";

/** What a call needs of the pool that it runs on. */
export interface CallHost {
  readonly name: string;
  readonly dialect: Dialect;
  readonly events: Events;
  readonly clock: Clock;
  readonly statementTimeoutMs: number;
}

/** Why a call is ended from outside, and what that means to those who may try again. */
export interface Interruption {
  readonly retry: RetryAdvice;
  readonly blames: Blame;
  readonly reason: string;
  /** Whether to ask the server to stop what it is running; pointless when it does not answer. */
  readonly cancel: boolean;
}

const LATE: Interruption = { retry: "other-node", blames: "load", reason: "time ran out", cancel: true };
const ABORTED: Interruption = { retry: "never", blames: "caller", reason: "aborted by the caller", cancel: true };

/** Longest wait for a ROLLBACK that tidies up, in milliseconds; after it the connection is destroyed instead. */
const TIDY_MS = 5_000;

export class Call<T> implements Connection, TransactionLink {
  readonly #host: CallHost;
  readonly #connection: DriverConnection;
  readonly #operation: Operation<T>;
  readonly #limited: boolean;
  // Ends the promise that the caller holds; set while the call runs.
  #giveUp: ((error: unknown) => void) | undefined;
  #timer: Timer | undefined;
  // Statements are sent one after another; this is the last of them, while one runs.
  #last: Promise<unknown> | undefined;
  #rejectStatement: ((error: unknown) => void) | undefined;
  #current: Situation | undefined;
  // Why nothing may be sent any more.
  #ended: Error | undefined;
  #discarded = false;
  #firstFailure: Failure | undefined;
  #returned: Promise<void> | undefined;
  unanswered: Unanswered | undefined;

  constructor(host: CallHost, connection: DriverConnection, operation: Operation<T>) {
    this.#host = host;
    this.#connection = connection;
    this.#operation = operation;
    // A session may last for ever: its deadline bounded only the wait for the connection.
    const bounded = operation.kind !== "session" || operation.purpose === "probe";
    this.#limited = bounded && operation.deadline !== Number.POSITIVE_INFINITY;
  }

  get driver(): unknown {
    return this.#connection.driver;
  }

  /** Runs the operation, and gives the connection back before the promise settles. */
  run(): Promise<T> {
    return new Promise((resolve, reject) => {
      const { signal, deadline } = this.#operation;
      if (signal?.aborted) {
        this.#release();
        reject(abortReason(signal));
        return;
      }
      this.#giveUp = reject;
      signal?.addEventListener("abort", this.#onAbort, { once: true });
      if (this.#limited) {
        this.#timer = this.#host.clock.setTimer(deadline - this.#host.clock.now(), () =>
          this.#tooLate("the deadline passed"),
        );
      }
      this.#work().then(
        (value) => {
          if (!this.#finish()) return;
          const { kind, access, causality } = this.#operation;
          if (causality !== undefined && access === "write" && kind !== "transaction") causality.wrote();
          resolve(value);
        },
        (error: unknown) => {
          const explained = this.#explain(error);
          if (this.#finish()) reject(explained);
        },
      );
    });
  }

  query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    return this.#inTurn(() => this.#send<Row>(statement, this.#situation(statement.text)));
  }

  commit(statement: Statement): Promise<QueryResult> {
    const { access } = this.#operation;
    return this.#inTurn(() => this.#send(statement, { phase: "committing", access, inTransaction: true }));
  }

  /** The failure of the first statement that failed; what a COMMIT that was answered with ROLLBACK goes back to. */
  get firstFailure(): Failure | undefined {
    return this.#firstFailure;
  }

  doubt(error: unknown): OutcomeUnknownError {
    return this.#unknown(error, { ...failureOf(error), phase: "committing", effect: "unknown" });
  }

  discard(): void {
    this.#discarded = true;
  }

  /** Waits until no statement runs, whatever becomes of it. */
  async settled(): Promise<void> {
    while (this.#last !== undefined) await this.#last.catch(() => undefined);
  }

  /** Ends the call now: its caller gets `make`'s error, its connection is destroyed, nothing more is sent. */
  interrupt(why: Interruption, make: (failure: Failure) => Error): void {
    if (this.#giveUp === undefined) return;
    const giveUp = this.#giveUp;
    const running = this.#current;
    const failure: Failure = {
      phase: running?.phase ?? "running",
      effect: running !== undefined && mayStay(running) ? "unknown" : "none",
      retry: this.#operation.kind === "session" ? "never" : why.retry,
      blames: why.blames,
      connection: "destroy",
      reason: why.reason,
    };
    const error =
      failure.effect === "unknown" ? this.#unknown(make({ ...failure, effect: "none" }), failure) : make(failure);
    this.#ended = error;
    this.#tidy();
    // Cancelling a COMMIT that waits for a synchronous standby would not undo it, only leave it not replicated.
    const cancel = why.cancel && running !== undefined && running.phase !== "committing";
    this.#returned = this.#connection.destroy(cancel);
    this.#rejectStatement?.(error);
    giveUp(error);
  }

  /** Runs `then` once the connection has been given back or is gone. */
  whenReturned(then: () => void): void {
    if (this.#returned === undefined) then();
    else void this.#returned.then(then);
  }

  #work(): Promise<T> {
    const operation = this.#operation;
    try {
      return operation.kind === "transaction"
        ? runTransaction(this, operation, this.#host)
        : operation.run(this, operation.attempt);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  readonly #onAbort = (): void => {
    const { signal } = this.#operation;
    if (signal !== undefined) this.interrupt(ABORTED, () => abortReason(signal));
  };

  #tooLate(what: string): void {
    this.interrupt(LATE, (failure) => new TimeoutError(this.#host.name, what, failure));
  }

  /** Sends statements one at a time: drivers differ in what they do with a second one. */
  #inTurn<R>(send: () => Promise<R>): Promise<R> {
    const sent = this.#last === undefined ? send() : this.#last.then(send, send);
    this.#last = sent;
    const next = (): void => {
      if (this.#last === sent) this.#last = undefined;
    };
    sent.then(next, next);
    return sent;
  }

  #send<Row>(statement: Statement, situation: Situation): Promise<QueryResult<Row>> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const { clock, statementTimeoutMs } = this.#host;
    this.#current = situation;
    const timer = this.#limited
      ? undefined
      : clock.setTimer(statementTimeoutMs, () => this.#tooLate(`a statement ran longer than ${statementTimeoutMs} ms`));
    const phase = this.#connection.usable ? situation.phase : "unsent";
    return new Promise((resolve, reject) => {
      const done = (): void => {
        timer?.cancel();
        this.#current = undefined;
        this.#rejectStatement = undefined;
      };
      this.#rejectStatement = (error) => {
        done();
        reject(error);
      };
      this.#connection.query<Row>(statement).then(
        (result) => {
          done();
          resolve(result);
        },
        (error: unknown) => {
          if (this.#ended !== undefined) return;
          done();
          const inParts = !situation.inTransaction && this.#host.dialect.commitsInParts?.(statement.text) === true;
          reject(this.#raise(error, { ...situation, phase, inParts }));
        },
      );
    });
  }

  #situation(text: string): Situation {
    const { kind, access } = this.#operation;
    const { dialect } = this.#host;
    if (kind !== "session") {
      const inTransaction = kind === "transaction";
      // The caller's function may commit by hand, against all advice; then a lost answer is as ambiguous as ours.
      return { phase: inTransaction && dialect.commits(text) ? "committing" : "running", access, inTransaction };
    }
    const inTransaction = this.#connection.transactionStatus !== "idle";
    return {
      phase: inTransaction && dialect.commits(text) ? "committing" : "running",
      access: access === "read" || dialect.classify(text) === "read" ? "read" : "write",
      inTransaction,
    };
  }

  /** Understands a driver's error, once. */
  #raise(error: unknown, situation: Situation): unknown {
    let failure = this.#host.dialect.judge(error, situation);
    if (this.#operation.kind === "session") failure = { ...failure, retry: "never" };
    if (failure.connection === "destroy") this.#discarded = true;
    this.#firstFailure ??= failure;
    if (failure.effect === "unknown") return this.#unknown(error, failure);
    noteFailure(error, failure);
    return error;
  }

  #unknown(cause: unknown, failure: Failure): OutcomeUnknownError {
    const error = new OutcomeUnknownError(this.#host.name, cause, failure, this.unanswered);
    const { label } = this.#operation;
    // It may have been kept, and then the caller's reads must not miss it.
    this.#operation.causality?.wrote();
    this.#host.events.emit("call:outcome-unknown", { pool: this.#host.name, label, error });
    return error;
  }

  /**
   * What an error that came out of the caller's function means. The function may have thrown a statement's error in a
   * wrapping of its own, as ORMs do; and once the transaction had failed or the link was gone, it could not go on.
   */
  #explain(error: unknown): unknown {
    if (this.#operation.kind === "query" || recordedFailure(error) !== undefined) return error;
    const known = failureInCauses(error);
    const stopped = this.#discarded || this.#connection.transactionStatus === "failed";
    const failure = known ?? (stopped ? this.#firstFailure : undefined);
    if (failure !== undefined) noteFailure(error, failure);
    return error;
  }

  /** Gives the connection back. False when the call had been ended before. */
  #finish(): boolean {
    if (this.#giveUp === undefined) return false;
    this.#ended = new UsageError(this.#host.name, "a connection was used after its call had ended");
    this.#tidy();
    this.#release();
    return true;
  }

  #tidy(): void {
    this.#giveUp = undefined;
    this.#timer?.cancel();
    this.#operation.signal?.removeEventListener("abort", this.#onAbort);
  }

  #release(): void {
    const connection = this.#connection;
    if (this.#discarded || !connection.usable || this.#current !== undefined) {
      // A statement that nobody waited for may still be running: such a connection is nobody else's to use.
      this.#returned = connection.destroy(this.#current !== undefined && connection.usable);
    } else if (connection.transactionStatus === "idle") {
      connection.release();
    } else {
      this.#returned = this.#rollBack();
    }
  }

  /** Ends a transaction that the caller left open; only then may somebody else have the connection. */
  async #rollBack(): Promise<void> {
    const connection = this.#connection;
    const { clock, dialect, events, name } = this.#host;
    events.emit("connection:open-transaction", { pool: name });
    const timer = clock.setTimer(TIDY_MS, () => void connection.destroy(false));
    await connection.query({ text: dialect.transaction.rollback }).catch(() => undefined);
    timer.cancel();
    if (connection.usable && connection.transactionStatus === "idle") connection.release();
    else await connection.destroy(false);
  }
}

/** Whether the database may keep what was being done when the answer was lost. */
function mayStay(situation: Situation): boolean {
  return situation.phase === "committing" || (situation.access === "write" && !situation.inTransaction);
}

function failureInCauses(error: unknown): Failure | undefined {
  let cause: unknown = error;
  // Chains of causes are short; the bound is for those that end in themselves.
  for (let depth = 0; depth < 8 && typeof cause === "object" && cause !== null; depth += 1) {
    const failure = recordedFailure(cause);
    if (failure !== undefined) return failure;
    cause = (cause as { cause?: unknown }).cause;
  }
  return undefined;
}
