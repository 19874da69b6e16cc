/** Callers who read and write at a steady rate, whatever becomes of the servers, and a record of every call. */
import type { Database } from "breakwater";
import { until } from "../../support/wait.ts";

export type CallKind = "read" | "transaction" | "statement";

/** One call, as its caller saw it. */
export interface Call {
  readonly kind: CallKind;
  /** The row that it wrote; for a read undefined. */
  readonly id: number | undefined;
  /** In milliseconds of `performance.now()`. */
  readonly startedAt: number;
  endedAt: number | undefined;
  error: unknown;
}

/** Longest that calls may take to settle, in milliseconds: twice their own limit. */
const LIMIT_MS = 60_000;

/** Makes the table that the callers write to. */
export const TRAFFIC_TABLE = "CREATE TABLE traffic (id bigint PRIMARY KEY)";

/** Half of the calls read, the others write a row of their own: in turn in a transaction and as a single statement. */
export class Traffic {
  readonly calls: Call[] = [];
  readonly #db: Database;
  readonly #timer: NodeJS.Timeout;
  readonly #running = new Set<Promise<void>>();
  #sent = 0;
  readonly #startedAt = performance.now();

  constructor(db: Database, callsPerSecond: number) {
    this.#db = db;
    // Open loop: a late timer makes up for what it has missed, as callers do not wait for each other.
    this.#timer = setInterval(() => {
      const due = ((performance.now() - this.#startedAt) / 1000) * callsPerSecond;
      while (this.#sent < due) this.#send();
    }, 5);
  }

  /** Ends the traffic; resolves when every call has settled. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await until(
      () => `the last calls to settle: ${this.#standing()}`,
      () => this.#running.size === 0,
      LIMIT_MS,
    );
  }

  get failed(): readonly Call[] {
    return this.calls.filter(({ error }) => error !== undefined);
  }

  /** Resolves when a write that began now or later has been acknowledged, with the moment of that. */
  async nextWrite(after: number = performance.now()): Promise<number> {
    let found: Call | undefined;
    await until(
      () => `a write to be acknowledged: ${this.#standing()}`,
      () => {
        found = this.calls.find(
          ({ kind, startedAt, endedAt, error }) =>
            kind !== "read" && startedAt >= after && endedAt !== undefined && error === undefined,
        );
        return found !== undefined;
      },
      LIMIT_MS,
    );
    return found?.endedAt ?? Number.NaN;
  }

  /** Latencies of the reads that began within a time, in milliseconds, in order. */
  readTimes(from: number, to: number): number[] {
    return this.calls
      .filter(({ kind, startedAt }) => kind === "read" && startedAt >= from && startedAt < to)
      .map(({ startedAt, endedAt = Number.POSITIVE_INFINITY }) => endedAt - startedAt)
      .toSorted((a, b) => a - b);
  }

  /** Where the calls stand, for whoever has waited in vain. */
  #standing(): string {
    const waiting = this.calls.filter(({ endedAt }) => endedAt === undefined);
    const oldestMs = performance.now() - (waiting[0]?.startedAt ?? Number.NaN);
    const failed = JSON.stringify(reasons(this.failed));
    return `${waiting.length} of ${this.calls.length} calls wait, the oldest for ${oldestMs.toFixed(0)} ms; failed: ${failed}; ${JSON.stringify(this.#db.stats().nodes)}`;
  }

  #send(): void {
    const number = this.#sent++;
    const kind = number % 2 === 0 ? "read" : number % 4 === 1 ? "transaction" : "statement";
    const id = kind === "read" ? undefined : number;
    const call: Call = { kind, id, startedAt: performance.now(), endedAt: undefined, error: undefined };
    this.calls.push(call);
    const running = this.#run(call)
      .catch((error: unknown) => {
        call.error = error;
      })
      .finally(() => {
        call.endedAt = performance.now();
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  async #run({ kind, id }: Call): Promise<void> {
    const options = { timeoutMs: 30_000 };
    const insert = "INSERT INTO traffic (id) VALUES ($1)";
    if (kind === "read") {
      await this.#db.query("SELECT count(*) FROM generate_series(1, 100)", [], { ...options, consistency: "eventual" });
    } else if (kind === "statement") {
      await this.#db.query(insert, [id], { ...options, exactlyOnce: true });
    } else {
      await this.#db.transaction(async (tx) => tx.query(insert, [id]), options);
    }
  }
}

/** The value below which a share of sorted numbers lies. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Why calls failed, with how often. */
export function reasons(calls: readonly Call[]): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const { kind, error } of calls) {
    const cause = (error as { cause?: { message?: string } } | undefined)?.cause?.message;
    const reason = `${kind}: ${String(error)}${cause === undefined ? "" : ` (${cause})`}`;
    found[reason] = (found[reason] ?? 0) + 1;
  }
  return found;
}
