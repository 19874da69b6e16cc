/**
 * What the errors of one call mean, and what has been understood so far.
 */
import type { CallHost } from "./call-host.ts";
import type { DriverConnection, TransactionStatus } from "../contract/driver.ts";
import { OutcomeUnknownError, type Unanswered } from "../contract/errors.ts";
import { type Failure, noteFailure, type Situation } from "../contract/failure.ts";
import { noteCause, NOT_SENT } from "./interruption.ts";
import type { Operation } from "../contract/operation.ts";
import { mayStay, situationOf } from "./situation.ts";

/** How the connection was when a statement was sent. */
interface Before {
  readonly before: TransactionStatus;
  readonly usable: boolean;
}

export class CallFailures {
  /** The failure of the statement that made the transaction fail. */
  first: Failure | undefined;
  /** The connection is nobody's to use again. */
  discarded = false;
  /** The caller's function may have made something last before its end: nothing of it may be run again. */
  final = false;
  /** Whatever ends the call from here on, the transaction can be asked after. */
  unanswered: Unanswered | undefined;
  /** The transaction is open at the server. Once it is not any more, the caller's function has ended it by hand. */
  begun = false;
  readonly #host: CallHost;
  readonly #connection: DriverConnection;
  readonly #operation: Operation<unknown>;

  constructor(host: CallHost, connection: DriverConnection, operation: Operation<unknown>) {
    this.#host = host;
    this.#connection = connection;
    this.#operation = operation;
  }

  /** Whether the call must not be run again, whatever happens to it. */
  get once(): boolean {
    const operation = this.#operation;
    return this.final || (operation.kind === "session" && operation.begun?.() !== false);
  }

  /** In what situation a statement is sent now. */
  situation(text: string): Situation {
    const operation = this.#operation;
    const situation = situationOf(text, operation, this.#connection.transactionStatus, this.begun, this.#host.dialect);
    if (operation.kind === "transaction" && mayStay(situation)) this.final = true;
    return situation;
  }

  /** A statement that was sent in `situation` has been answered. */
  acknowledged(situation: Situation): void {
    const { kind, causality } = this.#operation;
    if (kind === "transaction") this.begun ||= this.#connection.transactionStatus !== "idle";
    // What a session wrote must not be missed by reads elsewhere, however long the session lasts.
    else if (kind === "session" && causality !== undefined && mayStay(situation)) causality.wrote();
  }

  /** Understands a driver's error, once. `known` where the driver has not even sent the statement. */
  raise(error: unknown, text: string, situation: Situation, { before, usable }: Before, known?: Failure): unknown {
    const connection = this.#connection;
    const { dialect } = this.#host;
    const refused = connection.refused?.(error) === true ? NOT_SENT : known;
    const inParts = !situation.inTransaction && dialect.commitsInParts?.(text) === true;
    const phase = usable && connection.unprocessed?.(error) !== true ? situation.phase : "unsent";
    let failure = refused ?? this.#host.judge(error, { ...situation, phase, inParts });
    if (this.once) failure = { ...failure, retry: "never" };
    if (failure.connection === "destroy") this.discarded = true;
    if (this.first === undefined || before === "open") this.first = failure;
    if (failure.effect === "unknown") return this.unknown(error, failure);
    noteFailure(error, failure);
    return error;
  }

  /** The error for a call that may have been carried out. */
  unknown(cause: unknown, failure: Failure): OutcomeUnknownError {
    const { name, events } = this.#host;
    const { label, causality } = this.#operation;
    const error = new OutcomeUnknownError(name, cause, failure, this.unanswered);
    // It may have been kept, and then the caller's reads must not miss it.
    causality?.wrote();
    events.emit("call:outcome-unknown", { pool: name, label, error });
    return error;
  }

  /**
   * What an error that came out of the caller's function means. The function may have thrown a statement's error in a
   * wrapping of its own, as ORMs do; and once the transaction had failed or the link was gone, it could not go on.
   */
  explain(error: unknown): void {
    if (this.#operation.kind === "query") return;
    const stopped = this.discarded || this.#connection.transactionStatus === "failed";
    noteCause(error, stopped ? this.first : undefined, this.once);
  }
}
