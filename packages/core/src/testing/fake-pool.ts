/**
 * A pool without a database, for units. Tests of what a database does use a real one.
 */
import type { Dialect, NodeState } from "../contract/dialect.ts";
import { PoolClosedError } from "../contract/errors.ts";
import { Events } from "../contract/events.ts";
import { type Failure, noteFailure } from "../contract/failure.ts";
import { noMetrics } from "../measure/metrics.ts";
import {
  type Operation,
  type OperationContext,
  operationContext,
  type QueryOperation,
  queryOperation,
} from "../contract/operation.ts";
import type { Pool, QueryResult } from "../contract/pool.ts";

/** What a fake pool does with a call: returns a value, or throws. */
export type Answer = (operation: Operation<unknown>, call: number) => unknown;

/** A fake pool, and what was asked of it. */
export interface FakePool extends Pool {
  /** Every operation that came through, in order. */
  readonly calls: readonly Operation<unknown>[];
  /** Reasons of the interrupts. */
  readonly interrupts: readonly Error[];
  /** Whether `close()` was called; calls are rejected from then on. */
  readonly closed: boolean;
}

/** Makes a fake pool of that `name`. Without an answer every call returns an empty result. */
export function fakePool(answer: Answer = () => emptyResult, name = "fake"): FakePool {
  const calls: Operation<unknown>[] = [];
  const interrupts: Error[] = [];
  const events = new Events();
  let closed = false;
  return {
    name,
    dialect: fakeDialect,
    events,
    layers: [],
    calls,
    interrupts,
    get closed() {
      return closed;
    },
    async execute<T>(operation: Operation<T>): Promise<T> {
      if (closed) throw new PoolClosedError(name);
      calls.push(operation);
      return (await answer(operation, calls.length)) as T;
    },
    stats: () => Object.freeze({ name, ...UNUSED, max: 10, policies: NONE, nodes: NONE, metrics: noMetrics }),
    interrupt: (reason, whom) => {
      if (whom === undefined || whom === "all") interrupts.push(reason);
    },
    close: () => {
      if (!closed) events.emit("pool:closed", { pool: name });
      closed = true;
      return Promise.resolve();
    },
  };
}

const NONE: readonly never[] = Object.freeze([]);
const UNUSED = { total: 0, idle: 0, active: 0, waiting: 0, connecting: 0 };

/** A result with no rows. */
export const emptyResult: QueryResult<never> = Object.freeze({ rows: [], rowCount: 0, command: "SELECT", fields: [] });

/** A call of one statement, a read unless `context` says otherwise. */
export function fakeCall(context: Partial<OperationContext> = {}): QueryOperation<QueryResult> {
  return queryOperation({ text: "SELECT 1" }, { ...operationContext("read"), ...context });
}

/** An error that means what `failure` says: by default a lost node, with a read under way. */
export function failing(failure: Partial<Failure> = {}, error: Error = new Error("planted")): Error {
  noteFailure(error, {
    phase: "running",
    effect: "none",
    retry: "other-node",
    blames: "node",
    connection: "destroy",
    reason: "planted",
    ...failure,
  });
  return error;
}

const state: NodeState = { role: "primary", systemId: undefined, timeline: undefined, position: undefined };

/** A dialect of no database: texts that begin with SELECT are reads, everything else is a write. */
export const fakeDialect: Dialect = {
  name: "fake",
  transaction: {
    begin: () => "BEGIN",
    commit: "COMMIT",
    rollback: "ROLLBACK",
    savepoint: (name) => `SAVEPOINT ${name}`,
    releaseSavepoint: (name) => `RELEASE ${name}`,
    rollbackToSavepoint: (name) => `ROLLBACK TO ${name}`,
  },
  classify: (text) => (/^\s*select/i.test(text) ? "read" : "write"),
  commits: (text) => /^\s*commit/i.test(text),
  judge: () => ({
    phase: "running",
    effect: "none",
    retry: "never",
    blames: "statement",
    connection: "keep",
    reason: "fake",
  }),
  committed: (result) => result.command !== "ROLLBACK",
  probe: () => Promise.resolve(state),
};
