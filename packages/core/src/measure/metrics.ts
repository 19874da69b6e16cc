/**
 * What a pool counts of its calls, connections and errors: a number each, and two histograms.
 */
import { TimeoutError } from "../contract/errors.ts";
import type { Events } from "../contract/events.ts";
import { recordedFailure } from "../contract/failure.ts";
import { Histogram, type HistogramSnapshot, noTimes } from "./histogram.ts";

/** What became of the connections of a pool. */
export interface ConnectionCounts {
  /** Opened, and ready for calls. */
  readonly opened: number;
  /** Ended after that, by whichever side. */
  readonly closed: number;
  /** Could not be opened. */
  readonly failed: number;
}

/** What went wrong on a pool. */
export interface ErrorCounts {
  /** Calls that ended because no connection could be opened, or because theirs was lost. */
  readonly connection: number;
  /** Calls that ended because a limit in time had passed: waiting, connecting or running. */
  readonly timeout: number;
  /**
   * Statements that the database refused, by the class of the error: the first two characters of its SQLSTATE
   * (ISO/IEC 9075-2, 24.1), such as `23` for a violated constraint. A statement inside a transaction counts too, whatever
   * its caller made of the error. What comes after the 64th class is counted as `other`.
   */
  readonly sql: Readonly<Record<string, number>>;
}

/** What a pool has counted since it was made, up to one moment. Probes are not counted. Immutable, and plain as JSON. */
export interface PoolMetrics {
  /** Calls that have ended, well or badly; behind a router every attempt on a node is one. */
  readonly calls: number;
  /** Calls of these that were rejected. */
  readonly failed: number;
  /** How many were opened, closed and not to be had. */
  readonly connections: ConnectionCounts;
  /** Calls that ended for want of a connection or of time, and statements that were refused. */
  readonly errors: ErrorCounts;
  /** Connections that came back inside a transaction, and were rolled back. */
  readonly openTransactions: number;
  /** How long calls waited for a connection, in milliseconds; those who went away without one too. */
  readonly acquire: HistogramSnapshot;
  /** How long calls held their connection, in milliseconds. */
  readonly execution: HistogramSnapshot;
}

/** Most classes of SQLSTATEs that are told apart: somebody's own function may raise any. */
const MAX_CLASSES = 64;
const OTHER = "other";
const SQLSTATE = /^[0-9A-Z]{5}$/;

/** Nothing counted yet. */
export const noMetrics: PoolMetrics = freeze({
  calls: 0,
  failed: 0,
  connections: { opened: 0, closed: 0, failed: 0 },
  errors: { connection: 0, timeout: 0, sql: {} },
  openTransactions: 0,
  acquire: noTimes,
  execution: noTimes,
});

/** Counts for one pool. What happens at every call costs a few nanoseconds and allocates nothing. */
export class PoolMeter {
  readonly #pool: string;
  readonly #events: Events | undefined;
  readonly #acquire = new Histogram();
  readonly #execution = new Histogram();
  readonly #sql = new Map<string, number>();
  #calls = 0;
  #failed = 0;
  #opened = 0;
  #closed = 0;
  #refused = 0;
  #lost = 0;
  #late = 0;
  #openTransactions = 0;

  /** Of a pool's name, and of its bus, which hears of each time where somebody listens. */
  constructor(pool = "", events?: Events) {
    this.#pool = pool;
    this.#events = events;
  }

  /** A call has ended that asked for a connection, got one, or went away without, and gave it back, at these times. */
  ended(askedMs: number, gotMs: number | undefined, nowMs: number): void {
    this.#calls += 1;
    this.#acquire.record((gotMs ?? nowMs) - askedMs);
    if (gotMs !== undefined) this.#execution.record(nowMs - gotMs);
    if (this.#events?.has("connection:used") !== true) return;
    const heldMs = gotMs === undefined ? undefined : nowMs - gotMs;
    this.#events.emit("connection:used", { pool: this.#pool, waitedMs: (gotMs ?? nowMs) - askedMs, heldMs });
  }

  /** A call was rejected. */
  failed(error: unknown): void {
    this.#failed += 1;
    if (timedOut(error)) this.#late += 1;
    else if (lostConnection(error)) this.#lost += 1;
    if (!(error instanceof TimeoutError)) return;
    const { phase } = error;
    if (phase === "acquire" || phase === "connect")
      this.#events?.emit("connection:timed-out", { pool: this.#pool, phase });
  }

  /** A statement failed. */
  refused(error: unknown): void {
    const found = classOf(error);
    if (found === undefined) return;
    const counted = this.#sql.has(found) || this.#sql.size < MAX_CLASSES ? found : OTHER;
    this.#sql.set(counted, (this.#sql.get(counted) ?? 0) + 1);
  }

  /** Counts a connection that was opened, and how long that took in milliseconds. */
  connectionOpened(tookMs?: number): void {
    this.#opened += 1;
    if (this.#events?.has("connection:opened") === true)
      this.#events.emit("connection:opened", { pool: this.#pool, tookMs });
  }

  /** Counts a connection that was closed. */
  connectionClosed(): void {
    this.#closed += 1;
  }

  /** Counts a connection that could not be opened. */
  connectionFailed(): void {
    this.#refused += 1;
  }

  /** Counts a connection that was given back with its transaction open. */
  leftOpen(): void {
    this.#openTransactions += 1;
  }

  /** All counts up to now; it does not change any more. */
  snapshot(): PoolMetrics {
    return freeze({
      calls: this.#calls,
      failed: this.#failed,
      connections: { opened: this.#opened, closed: this.#closed, failed: this.#refused },
      errors: { connection: this.#lost, timeout: this.#late, sql: Object.fromEntries(this.#sql) },
      openTransactions: this.#openTransactions,
      acquire: this.#acquire.snapshot(),
      execution: this.#execution.snapshot(),
    });
  }
}

/** The sums over `all` of several pools, such as the nodes of a router. A pool that counts nothing adds nothing. */
export function sumOfMetrics(all: readonly (PoolMetrics | undefined)[]): PoolMetrics {
  return all.reduce<PoolMetrics>(
    (sum, each) => (each === undefined ? sum : combined(sum, each, add, "plus")),
    noMetrics,
  );
}

/** What was counted after `earlier`. What has fallen since then began anew: its counts are those since it did. */
export function metricsSince(now: PoolMetrics, earlier: PoolMetrics): PoolMetrics {
  return now.calls < earlier.calls ? now : combined(now, earlier, subtract, "since");
}

function combined(
  one: PoolMetrics,
  other: PoolMetrics,
  of: (a: number, b: number) => number,
  times: "plus" | "since",
): PoolMetrics {
  const { connections, errors } = one;
  const classes = new Set([...Object.keys(errors.sql), ...Object.keys(other.errors.sql)]);
  const sql = [...classes].map((each) => [each, of(errors.sql[each] ?? 0, other.errors.sql[each] ?? 0)] as const);
  return freeze({
    calls: of(one.calls, other.calls),
    failed: of(one.failed, other.failed),
    connections: {
      opened: of(connections.opened, other.connections.opened),
      closed: of(connections.closed, other.connections.closed),
      failed: of(connections.failed, other.connections.failed),
    },
    errors: {
      connection: of(errors.connection, other.errors.connection),
      timeout: of(errors.timeout, other.errors.timeout),
      sql: Object.fromEntries(sql.filter(([, count]) => count > 0)),
    },
    openTransactions: of(one.openTransactions, other.openTransactions),
    acquire: one.acquire[times](other.acquire),
    execution: one.execution[times](other.execution),
  });
}

const add = (a: number, b: number): number => a + b;
const subtract = (a: number, b: number): number => Math.max(0, a - b);

function freeze(metrics: PoolMetrics): PoolMetrics {
  Object.freeze(metrics.connections);
  Object.freeze(metrics.errors.sql);
  Object.freeze(metrics.errors);
  return Object.freeze(metrics);
}

/** A limit that passed is the error itself or, where the outcome is not known, its cause. */
function timedOut(error: unknown): boolean {
  return error instanceof TimeoutError || (error instanceof Error && error.cause instanceof TimeoutError);
}

function lostConnection(error: unknown): boolean {
  const failure = recordedFailure(error);
  if (failure === undefined) return false;
  // Who left of their own accord has not lost a connection, though it was ended for that.
  return failure.phase === "connect" || (failure.connection === "destroy" && failure.blames !== "caller");
}

/** The class of an error that has a SQLSTATE; `EPIPE` and its kin have five letters too, but name a system call. */
function classOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { code, sqlState, syscall } = error as Readonly<Record<string, unknown>>;
  const state = typeof sqlState === "string" ? sqlState : code;
  if (typeof state !== "string" || syscall !== undefined || !SQLSTATE.test(state)) return undefined;
  return state.slice(0, 2);
}
