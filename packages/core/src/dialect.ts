/**
 * What a database must tell the layer. Adapters of the same database share one dialect.
 */
import type { Failure, Situation } from "./failure.ts";
import type { TransactionOptions } from "./operation.ts";
import type { Connection, QueryResult } from "./pool.ts";

/** What a statement needs: any node; the primary; one connection that is kept. */
export type StatementClass = "read" | "write" | "session";

/** What a node says of itself. */
export interface NodeState {
  readonly role: "primary" | "replica";
  /** Which cluster the node belongs to, by the identifier that it was made with; undefined where none is told. */
  readonly systemId: string | undefined;
  /** Which history of that cluster: it grows with each promotion. */
  readonly timeline: number | undefined;
  /** How far the node has written or replayed; comparable within a timeline. */
  readonly position: bigint | undefined;
}

/** The texts that begin and end transactions. */
export interface TransactionTexts {
  begin(options: TransactionOptions): string;
  readonly commit: string;
  readonly rollback: string;
  savepoint(name: string): string;
  releaseSavepoint(name: string): string;
  rollbackToSavepoint(name: string): string;
}

/** Everything that is particular to one kind of database. */
export interface Dialect {
  readonly name: string;
  readonly transaction: TransactionTexts;
  /** What a statement needs, from its text alone. In doubt it is a write. */
  classify(text: string): StatementClass;
  /** Whether a statement asks to commit the transaction that is open. */
  commits(text: string): boolean;
  /** What an error means where it happened. Never throws. */
  judge(error: unknown, situation: Situation): Failure;
  /** Whether COMMIT's answer says that the transaction was kept. */
  committed(result: QueryResult): boolean;
  /** Asks a node for its role, history and position, in one round trip. */
  probe(connection: Connection): Promise<NodeState>;
}
