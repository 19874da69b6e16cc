/**
 * Reads of the same kind: how long they take, and those under way that may become too slow.
 */
import { type Clock, type QueryOperation, RecentLatencies, type Timer } from "@breakwater/core";

/** A read that may be sent a second time. */
export interface Watched {
  /** When it is slow, in milliseconds of the clock. */
  readonly dueMs: number;
  /** It is slow. */
  late(): void;
}

/** After so many answers the delay is worked out anew. */
const STALE = 16;

/** One kind of read. */
export class Kind {
  readonly #clock: Clock;
  readonly #latencies: RecentLatencies;
  // In the order of their coming, which is that of their being due, or nearly: one timer will do for all of them.
  readonly #watched = new Set<Watched>();
  #timer: Timer | undefined;
  #quantileMs = 0;
  #fresh = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#latencies = new RecentLatencies(clock.now());
  }

  /** What that share of the reads did not exceed, in milliseconds; undefined while fewer than `minimum` are known. */
  quantileMs(share: number, minimum: number): number | undefined {
    if (this.#latencies.count < minimum) return undefined;
    if (this.#fresh === 0) {
      this.#quantileMs = this.#latencies.percentile(share);
      this.#fresh = STALE;
    }
    return this.#quantileMs;
  }

  record(ms: number, nowMs: number): void {
    this.#latencies.record(ms, nowMs);
    if (this.#fresh > 0) this.#fresh -= 1;
  }

  watch(read: Watched, nowMs: number): void {
    this.#watched.add(read);
    if (this.#timer === undefined) this.#arm(read.dueMs - nowMs);
  }

  unwatch(read: Watched): void {
    this.#watched.delete(read);
  }

  /** Ends the timer; nothing that is under way is sent again. */
  stop(): void {
    this.#watched.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  // Most reads end before they are due. To cancel the timer for each, and to set it for the next, would cost more than
  // to let it run out.
  #arm(ms: number): void {
    this.#timer = this.#clock.setTimer(ms, () => this.#look(), true);
  }

  #look(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.now();
    for (const read of this.#watched) {
      if (read.dueMs > nowMs) {
        this.#arm(read.dueMs - nowMs);
        return;
      }
      this.#watched.delete(read);
      read.late();
    }
  }
}

/**
 * All kinds, by label, or by text where there is none. Bounded: there are two generations, and when the young one is full
 * the old one is forgotten, except for what was asked for in the meantime.
 */
export class Kinds {
  readonly #clock: Clock;
  #young = new Map<string, Kind>();
  #old = new Map<string, Kind>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  of({ label, statement }: QueryOperation<unknown>, maxKeys: number): Kind {
    // A label and a text cannot be the same: no text begins with a colon.
    const key = label === undefined ? statement.text : `:${label}`;
    const known = this.#young.get(key);
    if (known !== undefined) return known;
    const kind = this.#old.get(key) ?? new Kind(this.#clock);
    this.#old.delete(key);
    if (2 * this.#young.size >= maxKeys) {
      for (const old of this.#old.values()) old.stop();
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, kind);
    return kind;
  }

  *all(): IterableIterator<Kind> {
    yield* this.#young.values();
    yield* this.#old.values();
  }
}
