/**
 * The limit of one pool: who gets in, and what is learned from the calls.
 */
import {
  BulkheadFullError,
  failureOf,
  type Next,
  type Operation,
  type PolicyPart,
  type Pool,
  type Priority,
  RejectedError,
  TimeoutError,
} from "@breakwater/core";
import { Lasting } from "../budget/lasting.ts";
import { type Bounds, Estimate, TOLERANCE } from "./estimate.ts";
import type { AdaptiveLimitChanged } from "./events.ts";
import { type AdaptiveLimits, type CheckedAdaptiveLimitOptions, checkBounds } from "./options.ts";

/** Of a busy pool every fourth call is timed: reading the time twice costs more than all the rest. */
const TIMED = 4;
/** A pool is busy when a window holds this many timed calls. */
const BUSY = 200;

export class Limiter implements PolicyPart {
  readonly #options: CheckedAdaptiveLimitOptions;
  readonly #pool: Pool;
  readonly #estimate: Estimate;
  readonly #lasting: Lasting;
  #bounds: { min: number; max: number };
  #limit = 0;
  #sheddable = 0;
  #critical = 0;
  #running = 0;
  #rejected = 0;
  #overloads = 0;
  /** This window: since when, how many were timed, for how long together, and the most that ran at a time. */
  #sinceMs: number;
  #timed = 0;
  #sumMs = 0;
  #most = 0;
  /** One of so many calls is timed. */
  #every = 1;
  #count = 0;
  #overloadedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: CheckedAdaptiveLimitOptions, pool: Pool) {
    this.#options = options;
    this.#pool = pool;
    this.#bounds = options.bounds;
    this.#sinceMs = options.clock.now();
    this.#estimate = new Estimate(options.initial);
    this.#lasting = new Lasting(options.windowMs);
    this.#estimate.keep(this.#within());
    this.#follow();
  }

  get pool(): string {
    return this.#pool.name;
  }

  get limit(): number {
    return this.#limit;
  }

  execute<T>(operation: Operation<T>, next: Next): Promise<T> {
    if (operation.purpose === "probe") return next(operation);
    if (this.#running >= this.#limit || operation.priority !== "normal") {
      if (this.#running >= this.#share(operation.priority)) return this.#reject(operation);
    }
    this.#running++;
    if (this.#running > this.#most) this.#most = this.#running;
    // A session lasts as long as its holder likes.
    if (operation.kind === "session" || ++this.#count < this.#every) {
      return next(operation).then(this.#ended, this.#failed);
    }
    this.#count = 0;
    const startMs = this.#options.clock.now();
    return next(operation).then(
      (value) => {
        this.#sample(startMs);
        return this.#ended(value);
      },
      (error: unknown) => this.#failedAfter(this.#options.clock.now() - startMs, error),
    );
  }

  /** The bounds as they were given, and as they can be given back; without a `max` where the pool's own is the bound. */
  get given(): Readonly<{ min: number; max: number | undefined }> {
    const { min, max } = this.#bounds;
    return { min, max: max === Number.POSITIVE_INFINITY ? undefined : max };
  }

  /** Changes the bounds; what has been learned stays. */
  change(limits: AdaptiveLimits): void {
    this.#bounds = checkBounds(limits, this.#bounds);
    this.#estimate.keep(this.#within());
    this.#tell("bounds");
  }

  stats(): Readonly<Record<string, unknown>> {
    return {
      limit: this.#limit,
      running: this.#running,
      usualMs: this.#estimate.usualMs,
      rejected: this.#rejected,
      overloads: this.#overloads,
      ...this.#within(),
    };
  }

  // Made once, so that a call that is not timed allocates none.
  readonly #ended = <T>(value: T): T => {
    this.#running--;
    return value;
  };

  readonly #failed = (error: unknown): never => this.#failedAfter(undefined, error);

  /** @param tookMs Undefined for a call that was not timed. */
  #failedAfter(tookMs: number | undefined, error: unknown): never {
    this.#running--;
    // Refused further in, or while waiting there: the server was not asked.
    const { blames, phase } = failureOf(error);
    const asked = phase !== "acquire" && phase !== "unsent" && !(error instanceof RejectedError);
    if (blames === "load" && asked && !this.#hadNoTime(tookMs, error)) this.#overload();
    throw error;
  }

  /** A limit in time that passed no later than calls are usually answered says something of the caller alone. */
  #hadNoTime(tookMs: number | undefined, error: unknown): boolean {
    if (!(error instanceof TimeoutError)) return false;
    const { usualMs } = this.#estimate;
    return usualMs !== undefined && (tookMs === undefined ? this.#every > 1 : tookMs <= TOLERANCE * usualMs);
  }

  #share(priority: Priority): number {
    if (!this.#options.priorities || priority === "normal") return this.#limit;
    return priority === "critical" ? this.#critical : this.#sheddable;
  }

  #reject(operation: Operation<unknown>): Promise<never> {
    this.#rejected++;
    const { events, name: pool } = this.#pool;
    const { label, priority } = operation;
    if (events.has("adaptive-limit:rejected")) {
      events.emit("adaptive-limit:rejected", { pool, label, priority, running: this.#running, limit: this.#limit });
    }
    const error = new BulkheadFullError(pool, this.#running, 0);
    return Promise.reject(this.#lasting.turnedAway(error, priority, this.#options.clock.now()));
  }

  #sample(startMs: number): void {
    const { clock, windowMs, minimumCalls } = this.#options;
    const nowMs = clock.now();
    this.#timed++;
    this.#sumMs += nowMs - startMs;
    if (nowMs - this.#sinceMs < windowMs || this.#timed < minimumCalls) return;
    this.#estimate.window(this.#sumMs / this.#timed, this.#most, this.#within());
    if (this.#timed >= BUSY) this.#every = TIMED;
    else if (this.#timed < BUSY / (2 * TIMED)) this.#every = 1;
    this.#sinceMs = nowMs;
    this.#timed = 0;
    this.#sumMs = 0;
    this.#most = this.#running;
    this.#tell("latency");
  }

  /** At most once a window: many calls fail of the same overload. */
  #overload(): void {
    const nowMs = this.#options.clock.now();
    this.#overloads++;
    if (nowMs - this.#overloadedAtMs < this.#options.windowMs) return;
    this.#overloadedAtMs = nowMs;
    this.#estimate.overload(this.#within());
    this.#tell("overload");
  }

  /** The pool may have grown or shrunk since. */
  #within(): Bounds {
    const { min, max } = this.#bounds;
    const most = Math.max(1, Math.floor(Math.min(max, this.#pool.stats().max)));
    return { min: Math.min(min, most), max: most };
  }

  #follow(): void {
    const limit = this.#estimate.limit;
    this.#limit = limit;
    this.#sheddable = Math.max(1, Math.floor(limit * 0.8));
    this.#critical = limit * 2;
  }

  #tell(why: AdaptiveLimitChanged["why"]): void {
    const from = this.#limit;
    this.#follow();
    const limit = this.#limit;
    if (limit !== from) this.#pool.events.emit("adaptive-limit:changed", { pool: this.pool, from, limit, why });
  }
}
