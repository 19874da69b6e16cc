/**
 * The times of connections: how long one took to open, how long calls waited for theirs and held it.
 */
import type { Clock, Events, Timer } from "@breakwater/core";
import type { Attributes, Histogram, Meter } from "@opentelemetry/api";
import { ATTRIBUTE, DURATION_BUCKETS } from "./attributes.ts";
import { BoundedNames } from "./bounded-names.ts";
import { MAX_NAMES } from "./event-counts.ts";

/** Most calls that are measured within `WINDOW_MS`: an SDK takes longer to note a time than a pool to lend a connection. */
const MAX_PER_WINDOW = 100;
const WINDOW_MS = 100;

/** Measures until the returned function is called; with `all`, each call however many there are. */
export function timeConnections(events: Events, meter: Meter, clock: Clock, all: boolean): () => void {
  const times = (name: string, description: string): Histogram =>
    meter.createHistogram(`db.client.connection.${name}`, {
      description,
      unit: "s",
      advice: { explicitBucketBoundaries: [...DURATION_BUCKETS] },
    });
  const create = times("create_time", "How long it took to open a connection.");
  const wait = times("wait_time", "How long calls waited for a connection.");
  const use = times("use_time", "How long calls held their connection.");
  const names = new BoundedNames(MAX_NAMES);
  const of = (pool: string): Attributes => ({ [ATTRIBUTE.pool]: names.of(pool, "other") });
  const sampler = new Sampler(clock, all ? Number.POSITIVE_INFINITY : MAX_PER_WINDOW, (took) =>
    events.on("connection:used", ({ pool, waitedMs, heldMs }) => {
      const attributes = of(pool);
      wait.record(waitedMs / 1_000, attributes);
      if (heldMs !== undefined) use.record(heldMs / 1_000, attributes);
      took();
    }),
  );
  const stopCreate = events.on("connection:opened", ({ pool, tookMs }) => {
    if (tookMs !== undefined) create.record(tookMs / 1_000, of(pool));
  });
  return () => {
    stopCreate();
    sampler.stop();
  };
}

/** Listens until it has heard enough for now, and again in the next window: what nobody listens to is not even made. */
class Sampler {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #listen: () => () => void;
  #stopListening: (() => void) | undefined;
  #timer: Timer | undefined;
  #sinceMs: number;
  #count = 0;

  /** `listen` is given what is to be called for each one heard. */
  constructor(clock: Clock, most: number, listen: (took: () => void) => () => void) {
    this.#clock = clock;
    this.#most = most;
    this.#sinceMs = clock.now();
    this.#listen = () => listen(() => this.#took());
    this.#stopListening = this.#listen();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  #took(): void {
    this.#count += 1;
    if (this.#count < this.#most) return;
    this.#count = 0;
    const nowMs = this.#clock.now();
    const leftMs = this.#sinceMs + WINDOW_MS - nowMs;
    this.#sinceMs = nowMs;
    if (leftMs <= 0) return;
    this.#stopListening?.();
    this.#stopListening = undefined;
    const again = (): void => {
      this.#sinceMs = this.#clock.now();
      this.#stopListening = this.#listen();
    };
    this.#timer = this.#clock.setTimer(leftMs, again, true);
  }
}
