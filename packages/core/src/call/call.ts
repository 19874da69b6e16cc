/**
 * One call on one connection: what may end it before its time, what its errors mean, and how the connection goes back.
 */
import { abortReason } from "../waiting/bounded.ts";
import { CallFailures } from "./call-failures.ts";
import type { CallHost } from "./call-host.ts";
import { setLimit, type Timer } from "../waiting/clock.ts";
import type { Carrier, DriverConnection } from "../contract/driver.ts";
import { OutcomeUnknownError, TimeoutError, type Unanswered, UsageError } from "../contract/errors.ts";
import { type Failure, failureOf, type Situation } from "../contract/failure.ts";
import { giveBack } from "../store/giving-back.ts";
import { ABORTED, interrupted, type Interruption, LATE, tooLateToSend } from "./interruption.ts";
import { type Operation, type QueryOperation, runStatement } from "../contract/operation.ts";
import type { Connection, QueryResult, Statement, Work } from "../contract/pool.ts";
import { SentStatement } from "./sent-statement.ts";
import { kept, runTransaction } from "./transaction.ts";
import type { TransactionLink } from "./transaction-link.ts";
import { Turns } from "../waiting/turns.ts";

export class Call<T> implements Connection, TransactionLink {
  readonly #host: CallHost;
  readonly #connection: DriverConnection;
  readonly #operation: Operation<T>;
  readonly #limited: boolean;
  // Ends the promise that the caller holds; set while the call runs.
  #giveUp: ((error: unknown) => void) | undefined;
  #timer: Timer | undefined;
  // Statements are sent one at a time: drivers differ in what they do with a second one.
  readonly #turns: Turns = new Turns();
  #rejectStatement: ((error: unknown) => void) | undefined;
  #current: Situation | undefined;
  // Why nothing may be sent any more: whoever asks is given an error, which is made when somebody does.
  #ended: (() => unknown) | undefined;
  readonly #failures: CallFailures;
  // Why the transaction could not be begun, or what its function threw: the caller gets it, whatever else becomes of it.
  #thrown: { readonly error: unknown } | undefined;
  #returned: Promise<void> | undefined;

  constructor(host: CallHost, connection: DriverConnection, operation: Operation<T>) {
    this.#host = host;
    this.#connection = connection;
    this.#operation = operation;
    this.#failures = new CallFailures(host, connection, operation);
    // A session may last for ever: its deadline bounded only the wait for the connection.
    const bounded = operation.kind !== "session" || operation.purpose === "probe";
    this.#limited = bounded && operation.deadline !== Number.POSITIVE_INFINITY;
  }

  get driver(): unknown {
    return this.#connection.driver;
  }

  /** Whether it is a single read: to run it again elsewhere does no harm. */
  get isRead(): boolean {
    return this.#operation.kind === "query" && this.#operation.access === "read";
  }

  /** Runs the operation, and gives the connection back before the promise settles. */
  run(): Promise<T> {
    return new Promise((resolve, reject) => {
      const refusal = this.#begin();
      if (refusal !== undefined) {
        this.#giveBack();
        reject(refusal);
        return;
      }
      this.#giveUp = reject;
      if (this.#operation.run === runStatement && this.#sent(this.#operation as QueryOperation<T>, resolve)) return;
      this.#work().then(
        (value) => this.#done(value, resolve),
        (error: unknown) => {
          this.#failures.explain(error);
          if (this.#finish()) reject(this.#thrown === undefined ? error : this.#thrown.error);
        },
      );
    });
  }

  #done(value: T, resolve: (value: T) => void): void {
    if (!this.#finish()) return;
    const { kind, access, causality } = this.#operation;
    if (causality !== undefined && access === "write" && kind !== "transaction") causality.wrote();
    resolve(value);
  }

  /** The short way of a call that is one statement. False where there is none. */
  #sent(operation: QueryOperation<T>, resolve: (value: T) => void): boolean {
    const { access } = operation;
    this.#current = { phase: "running", access, inTransaction: false };
    const sent = new SentStatement(this.#connection, this.#failures, this.#current, (error, result) => {
      const reject = this.#giveUp;
      if (reject === undefined) return;
      this.#current = undefined;
      const raised = error?.();
      if (error === undefined) this.#done(result as T, resolve);
      else if (this.#finish()) reject(raised);
    });
    if (!sent.send(operation.statement)) this.#current = undefined;
    else if (!this.#limited && this.#current !== undefined) this.#timer = this.#limitStatement();
    return sent.taken;
  }

  /** Ends the call when its statement runs for too long. */
  #limitStatement(): Timer {
    const { clock, statementTimeoutMs } = this.#host;
    const late = (): void => this.#tooLate(`a statement ran longer than ${statementTimeoutMs} ms`);
    return setLimit(clock, statementTimeoutMs, late);
  }

  /** Sets what may end the call before its time; why it is not begun at all, if it is too late for it. */
  #begin(): Error | undefined {
    const { signal, deadline } = this.#operation;
    if (signal?.aborted) return abortReason(signal);
    if (this.#limited) {
      const { clock, name } = this.#host;
      const leftMs = deadline - clock.now();
      if (leftMs <= 0) return tooLateToSend(name);
      this.#timer = setLimit(clock, leftMs, () => this.#tooLate("the deadline passed"));
    }
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    return undefined;
  }

  query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    return this.#turns.take(() => {
      // Of several that the layer has put together, the first says what they are.
      const situation = this.#failures.situation(statement.parts?.[0]?.text ?? statement.text);
      const answer = this.#send<QueryResult<Row>>(statement, situation);
      if (situation.phase !== "committing") return answer;
      return answer.then((result) => kept(result, this.#host, this.#failures.first));
    });
  }

  work<R>(work: Work<R>): Promise<R> {
    return this.#turns.take(() => this.#send(work, this.#failures.situation(work.text), work));
  }

  get carrier(): Carrier | undefined {
    return this.#connection.usable ? this.#connection.carrier : undefined;
  }

  begin<R>(statement: Statement, work?: Work<R>): Promise<R> {
    return this.#turns.take(() => {
      const situation = this.#failures.situation(statement.parts?.[0]?.text ?? statement.text);
      return this.#send(statement, situation, work).catch((error: unknown) => {
        if (!this.#failures.begun) {
          this.#thrown = { error };
          this.#ended = () => error;
        }
        throw error;
      });
    });
  }

  begun(): void {
    this.#failures.begun = true;
  }

  commit(statement: Statement): Promise<QueryResult> {
    const { access } = this.#operation;
    return this.#turns.take(() => this.#send(statement, { phase: "committing", access, inTransaction: true }));
  }

  async rollBack(statement: Statement | undefined, error: unknown): Promise<void> {
    await this.settled();
    // Now the transaction still is as the function left it.
    this.#failures.explain(error);
    this.#thrown ??= { error };
    if (error instanceof OutcomeUnknownError) OutcomeUnknownError.giveUp(error);
    if (statement === undefined) return;
    const situation: Situation = { phase: "running", access: "read", inTransaction: true };
    // A rollback that fails leaves the connection in its transaction, and so it is destroyed when it is given back.
    await this.#turns.take(() => this.#send(statement, situation)).catch(() => undefined);
  }

  get firstFailure(): Failure | undefined {
    return this.#failures.first;
  }

  askAfter(unanswered: Unanswered): void {
    this.#failures.unanswered = unanswered;
  }

  doubt(error: unknown): OutcomeUnknownError {
    return this.#failures.unknown(error, { ...failureOf(error), phase: "committing", effect: "unknown" });
  }

  discard(): void {
    this.#failures.discarded = true;
  }

  settled(): Promise<void> {
    return this.#turns.settled();
  }

  /** Ends the call now: its caller gets `make`'s error, its connection is destroyed, nothing more is sent. */
  interrupt(why: Interruption, make: (failure: Failure) => Error): void {
    if (this.#giveUp === undefined) return;
    const giveUp = this.#giveUp;
    const running = this.#current;
    const failure = interrupted(why, running, this.#failures.once);
    const error =
      failure.effect === "unknown"
        ? this.#failures.unknown(make({ ...failure, effect: "none" }), failure)
        : make(failure);
    this.#ended = () => error;
    this.#tidy();
    // Cancelling a COMMIT that waits for a synchronous standby would not undo it, only leave it not replicated.
    const cancel = why.cancel && running !== undefined && running.phase !== "committing";
    this.#returned = this.#connection.destroy(cancel);
    this.#rejectStatement?.(error);
    giveUp(this.#thrown === undefined ? error : this.#thrown.error);
  }

  /** Resolves when the connection is back or gone; undefined when it is, or while the call runs. */
  get returned(): Promise<void> | undefined {
    return this.#returned;
  }

  /** Ends the connection, whatever still had to be tidied up on it. */
  cutOff(): void {
    void this.#connection.destroy(false);
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

  #send<R>(statement: Statement, situation: Situation, work?: Work<R>): Promise<R> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended());
    this.#current = situation;
    const timer = this.#limited || work?.unlimited === true ? undefined : this.#limitStatement();
    const { usable, transactionStatus } = this.#connection;
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
      const sent = work?.run(this.#connection) ?? (this.#connection.query(statement) as Promise<R>);
      sent.then(
        (result) => {
          done();
          this.#failures.acknowledged(situation);
          resolve(result);
        },
        (error: unknown) => {
          if (this.#ended !== undefined) return;
          done();
          reject(this.#failures.raise(error, statement.text, situation, { usable, before: transactionStatus }));
        },
      );
    });
  }

  /** Gives the connection back. False when the call had been ended before. */
  #finish(): boolean {
    if (this.#giveUp === undefined) return false;
    this.#ended = this.#misuse;
    this.#tidy();
    this.#giveBack();
    // A statement that nobody waited for ends with the call.
    this.#rejectStatement?.(this.#misuse());
    return true;
  }

  readonly #misuse = (): Error => new UsageError(this.#host.name, "a connection was used after its call had ended");

  #tidy(): void {
    this.#giveUp = undefined;
    this.#timer?.cancel();
    this.#operation.signal?.removeEventListener("abort", this.#onAbort);
  }

  #giveBack(): void {
    const { discarded } = this.#failures;
    const { label } = this.#operation;
    this.#returned = giveBack(this.#connection, this.#host, { discarded, running: this.#current !== undefined, label });
  }
}
