/**
 * What one side's callers were told: every call, every second, every write.
 */
import type { Call } from "./calls.ts";

/** What a caller was told. `pending`: nothing yet. */
export type Told = "ok" | "failed" | "unknown" | "pending";

/** The calls that ended within one second of the run. */
export interface Second {
  ok: number;
  failed: number;
  unknown: number;
  /** Of the successful ones, in milliseconds. */
  readonly latencies: number[];
}

export interface Totals {
  calls: number;
  ok: number;
  failedReads: number;
  failedWrites: number;
  unknown: number;
}

/** The longest time between two moments that are marked; the first is the beginning. */
export class Stall {
  longestMs = 0;
  #lastMs = 0;

  mark(nowMs: number): void {
    this.longestMs = Math.max(this.longestMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }
}

export class Record {
  readonly totals: Totals = { calls: 0, ok: 0, failedReads: 0, failedWrites: 0, unknown: 0 };
  /** By the second of the run in which the calls ended. */
  readonly seconds: Second[] = [];
  /** Each write's id and what its caller was told. */
  readonly orders: Map<string, Told> = new Map();
  readonly transfers: Map<string, Told> = new Map();
  /** How often each error was seen, by kind of call and message. */
  readonly errors: Map<string, number> = new Map();
  /** Times without a successful call of any kind. */
  readonly stall: Stall = new Stall();
  /** Times without a successful write. */
  readonly writeStall: Stall = new Stall();
  readonly #now: () => number;

  /** @param now Milliseconds since the load began. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Notes a call that is about to be made. @returns what is to be called with its end. */
  begin(call: Call): (told: Told, error?: unknown) => void {
    const started = this.#now();
    this.totals.calls += 1;
    this.#note(call, "pending");
    return (told, error) => this.#end(call, told, this.#now() - started, error);
  }

  /** Calls that nobody has answered yet. */
  get pending(): number {
    const { calls, ok, failedReads, failedWrites, unknown } = this.totals;
    return calls - ok - failedReads - failedWrites - unknown;
  }

  /** The load has ended: what has not been answered by now counts as a stall up to here. */
  stop(): void {
    this.stall.mark(this.#now());
    this.writeStall.mark(this.#now());
  }

  /** The given second of the run; an empty one when nothing ended in it. */
  second(index: number): Second {
    return this.seconds[index] ?? empty();
  }

  #end(call: Call, told: Told, latencyMs: number, error: unknown): void {
    const now = this.#now();
    const second = this.#second(now);
    this.#note(call, told);
    if (told === "ok") {
      this.totals.ok += 1;
      second.ok += 1;
      second.latencies.push(latencyMs);
      this.stall.mark(now);
      if (call.kind !== "read") this.writeStall.mark(now);
      return;
    }
    if (told === "unknown") {
      this.totals.unknown += 1;
      second.unknown += 1;
    } else {
      if (call.kind === "read") this.totals.failedReads += 1;
      else this.totals.failedWrites += 1;
      second.failed += 1;
    }
    const message = `${told} ${call.kind}: ${describe(error)}`;
    this.errors.set(message, (this.errors.get(message) ?? 0) + 1);
  }

  #note(call: Call, told: Told): void {
    if (call.kind === "order") this.orders.set(call.id, told);
    else if (call.kind === "transfer") this.transfers.set(call.id, told);
  }

  #second(now: number): Second {
    const index = Math.floor(now / 1_000);
    while (this.seconds.length <= index) this.seconds.push(empty());
    return this.seconds[index] ?? empty();
  }
}

function empty(): Second {
  return { ok: 0, failed: 0, unknown: 0, latencies: [] };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { readonly code?: unknown };
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
  return `${typeof code === "string" ? `${code} ` : ""}${error.message}${cause}`;
}
