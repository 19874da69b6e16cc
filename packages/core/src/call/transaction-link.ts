/**
 * The call that a transaction runs in, as the transaction sees it.
 */
import type { Carrier } from "../contract/driver.ts";
import type { OutcomeUnknownError, Unanswered } from "../contract/errors.ts";
import type { Failure } from "../contract/failure.ts";
import type { Connection, QueryResult, Statement, Work } from "../contract/pool.ts";

/** What a transaction needs of the call that it runs in. */
export interface TransactionLink extends Connection {
  work<R>(work: Work<R>): Promise<R>;
  /** Undefined where what begins the transaction is sent by itself. */
  readonly carrier: Carrier | undefined;
  /**
   * Sends what begins the transaction. Where that fails nothing more is sent, and its error is what the caller gets. The
   * transaction has begun when it succeeds, or `begun` is called before.
   */
  begin<R>(statement: Statement, work?: Work<R>): Promise<R>;
  /** The transaction has begun, whatever becomes of what was sent behind that. */
  begun(): void;
  /** Sends the statement that ends the transaction: from then on a lost answer leaves the outcome unknown. */
  commit(statement: Statement): Promise<QueryResult>;
  /** Says that an error leaves the outcome unknown, whatever it was taken for. */
  doubt(error: unknown): OutcomeUnknownError;
  /** Waits until no statement runs. */
  settled(): Promise<void>;
  /** Ends the transaction because of `error`, which is what the caller gets, whatever becomes of the rollback, if there is one. */
  rollBack(statement: Statement | undefined, error: unknown): Promise<void>;
  /** The failure that ended the transaction for the server, what a COMMIT answered with ROLLBACK goes back to; undefined while it can still commit. */
  readonly firstFailure: Failure | undefined;
  /** Whatever ends the call from here on, the transaction can be asked after. */
  askAfter(unanswered: Unanswered): void;
}
