/**
 * One statement that goes to its connection without any promise in between.
 */
import type { CallFailures } from "./call-failures.ts";
import type { DriverConnection, StatementReceiver, TransactionStatus } from "../contract/driver.ts";
import type { Situation } from "../contract/failure.ts";
import { NOT_SENT } from "./interruption.ts";
import type { QueryResult, Statement } from "../contract/pool.ts";

/** Hears how it ended: with an error, which is understood when it is asked for, or with a result. */
type Ended = (error: (() => unknown) | undefined, result: QueryResult | undefined) => void;

export class SentStatement implements StatementReceiver {
  /** The connection has taken it, or refused it for good. */
  taken = false;
  readonly #connection: DriverConnection;
  readonly #failures: CallFailures;
  readonly #situation: Situation;
  readonly #ended: Ended;
  #text = "";
  #before: TransactionStatus = "unknown";

  constructor(connection: DriverConnection, failures: CallFailures, situation: Situation, ended: Ended) {
    this.#connection = connection;
    this.#failures = failures;
    this.#situation = situation;
    this.#ended = ended;
  }

  /** Sends it. False when it is not under way: the connection does not work so, or has refused it. */
  send(statement: Statement): boolean {
    const connection = this.#connection;
    if (connection.send === undefined || !connection.usable) return false;
    this.#text = statement.text;
    this.#before = connection.transactionStatus;
    try {
      this.taken = connection.send(statement, this);
    } catch (error) {
      this.taken = true;
      this.#failed(error, true);
      return false;
    }
    if (this.taken) connection.flush?.();
    return this.taken;
  }

  answered(result: QueryResult): void {
    this.#ended(undefined, result);
  }

  failed(error: unknown): void {
    this.#failed(error, false);
  }

  #failed(error: unknown, refused: boolean): void {
    const state = { before: this.#before, usable: true };
    const known = refused ? NOT_SENT : undefined;
    this.#ended(() => this.#failures.raise(error, this.#text, this.#situation, state, known), undefined);
  }
}
