/**
 * PostgreSQL as PGlite has it: one process, always the primary, without timers.
 */
import type { Dialect, NodeState, TransactionOptions, TransactionTexts } from "@breakwater/core";
import { postgres } from "@breakwater/postgres";

/** There is nothing that it could be a replica of, and asking would have to wait for whoever has the session. */
const STATE: NodeState = Object.freeze({
  role: "primary",
  systemId: undefined,
  timeline: undefined,
  position: undefined,
});

const { transaction: texts } = postgres;

const transaction: TransactionTexts = Object.freeze({
  begin: (options: TransactionOptions) => texts.begin(options),
  commit: texts.commit,
  rollback: texts.rollback,
  savepoint: (name: string) => texts.savepoint(name),
  releaseSavepoint: (name: string) => texts.releaseSavepoint(name),
  rollbackToSavepoint: (name: string) => texts.rollbackToSavepoint(name),
});

/** The dialect of PostgreSQL, without `statement_timeout`, which does nothing here. */
export const pgliteDialect: Dialect = Object.freeze({
  ...postgres,
  transaction,
  probe: () => Promise.resolve(STATE),
});
