/**
 * Grows a pool when calls wait for connections, and shrinks it when it is larger than it need be.
 *
 * Stands around one pool whose size can be changed, inside the router. More connections than the server can work on make
 * everything slower, so `max` is what the server bears, not what the load asks for: see `suggestPoolSize()`.
 */
import {
  type Clock,
  knownOptions,
  type Next,
  type Operation,
  OptionError,
  type Placement,
  type Policy,
  type PolicyPart,
  type Pool,
  positiveInteger,
  positiveMs,
  nonNegativeMs,
  ratio,
  statefulPolicy,
  systemClock,
  type Timer,
  UsageError,
} from "@breakwater/core";
import type { AutosizeResized } from "./events.ts";
import { Need, type NeedOptions } from "./need.ts";

export interface AutosizeOptions {
  /** Fewest connections that it shrinks the pool's maximum to; a whole number from 1. @default 1 */
  readonly min?: number;
  /** Most that it grows it to; a whole number, at least `min`. */
  readonly max: number;
  /** How often it looks, in milliseconds; above 0. @default 100 */
  readonly intervalMs?: number;
  /** How long calls must have waited for connections, at every look, before it grows, in milliseconds. @default 300 */
  readonly growAfterMs?: number;
  /** How long there must have been too many connections before it shrinks, in milliseconds. @default 60000 */
  readonly shrinkAfterMs?: number;
  /** Too many are connections of which never more than this share was in use; above 0, at most 1. @default 0.5 */
  readonly shrinkBelowRatio?: number;
  /** Least time between two changes, in milliseconds. @default 1000 */
  readonly cooldownMs?: number;
  /** How long it stays at what there was when the database refused to open more, in milliseconds. @default 60000 */
  readonly refusedMs?: number;
  /**
   * Most connections that the database allows this pool now. Asked before the pool grows; when it fails or tells no
   * number, the pool does not grow.
   */
  readonly allowed?: () => number | Promise<number>;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
}

const OPTIONS = [
  "min",
  "max",
  "intervalMs",
  "growAfterMs",
  "shrinkAfterMs",
  "shrinkBelowRatio",
  "cooldownMs",
  "refusedMs",
  "allowed",
  "clock",
] as const;

const PLACEMENT: Placement = {
  inside: { router: "each node has a load and a limit of its own" },
};

/**
 * Makes the policy that sizes pools.
 * @throws OptionError when an option is unknown or out of range. Put around a pool whose size cannot be changed it throws
 * a UsageError.
 */
export function autosize(options: AutosizeOptions): Policy {
  knownOptions("autosize", options, OPTIONS);
  const { intervalMs = 100, refusedMs = 60_000, clock = systemClock, allowed } = options;
  const max = positiveInteger("autosize.max", options.max);
  const min = positiveInteger("autosize.min", options.min ?? 1);
  if (min > max) throw new OptionError("autosize.min", min, `at most max, which is ${max}`);
  const settings: Settings = {
    min,
    max,
    intervalMs: positiveMs("autosize.intervalMs", intervalMs),
    growAfterMs: nonNegativeMs("autosize.growAfterMs", options.growAfterMs ?? 300),
    shrinkAfterMs: nonNegativeMs("autosize.shrinkAfterMs", options.shrinkAfterMs ?? 60_000),
    shrinkBelowRatio: ratio("autosize.shrinkBelowRatio", options.shrinkBelowRatio ?? 0.5),
    cooldownMs: nonNegativeMs("autosize.cooldownMs", options.cooldownMs ?? 1_000),
    refusedMs: nonNegativeMs("autosize.refusedMs", refusedMs),
    allowed,
    clock,
  };
  if (allowed !== undefined && typeof allowed !== "function")
    throw new OptionError("autosize.allowed", allowed, "a function that tells a number");
  if (typeof clock?.setTimer !== "function") throw new OptionError("autosize.clock", clock, "a clock");
  return statefulPolicy("autosize", (inner) => new Autosize(inner, settings), PLACEMENT);
}

interface Settings extends NeedOptions {
  readonly intervalMs: number;
  readonly refusedMs: number;
  readonly allowed: AutosizeOptions["allowed"];
  readonly clock: Clock;
}

class Autosize implements PolicyPart {
  readonly #pool: Pool;
  readonly #settings: Settings;
  readonly #need: Need;
  readonly #unlisten: () => void;
  #timer: Timer | undefined;
  #size: number;
  // The size is no larger than this until then: the database had refused to open more.
  #refusedAt = Number.POSITIVE_INFINITY;
  #refusedUntilMs = 0;
  #asking = false;
  #closed = false;
  #grown = 0;
  #shrunk = 0;
  #refused = 0;

  constructor(pool: Pool, settings: Settings) {
    const { min, max } = settings;
    this.#pool = pool;
    this.#settings = settings;
    this.#need = new Need(settings);
    this.#size = Math.min(max, Math.max(min, pool.stats().max));
    // Whether its size can be changed at all must be known now, not when it matters.
    pool.resize?.({ max: this.#size });
    if (pool.resize === undefined || pool.stats().max !== this.#size)
      throw new UsageError(pool.name, "autosize stands around a pool whose size cannot be changed");
    this.#unlisten = pool.events.on("connection:failed", (event) => {
      if (event.pool === pool.name && this.#isRefusal(event.error)) this.#onRefused();
    });
  }

  execute<T>(operation: Operation<T>, next: Next): Promise<T> {
    // While nothing happens nobody looks: the first call after that begins it again.
    if (this.#timer === undefined && !this.#closed) this.#arm();
    return next(operation);
  }

  stats(): Readonly<Record<string, unknown>> {
    const { min, max } = this.#settings;
    return { size: this.#size, min, max, grown: this.#grown, shrunk: this.#shrunk, refused: this.#refused };
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#unlisten();
  }

  #arm(): void {
    const { clock, intervalMs } = this.#settings;
    this.#timer = clock.setTimer(
      intervalMs,
      () => {
        this.#timer = undefined;
        this.#look();
      },
      true,
    );
  }

  #look(): void {
    const { clock, min } = this.#settings;
    const { active, waiting } = this.#pool.stats();
    const nowMs = clock.now();
    const wanted = this.#need.size({ active, waiting, max: this.#size }, nowMs);
    if (wanted > this.#size) this.#grow(wanted, nowMs);
    else this.#change(wanted, "idle");
    if (active > 0 || waiting > 0 || this.#size > min) this.#arm();
  }

  #grow(wanted: number, nowMs: number): void {
    const bounded = nowMs < this.#refusedUntilMs ? Math.min(wanted, this.#refusedAt) : wanted;
    const { allowed } = this.#settings;
    if (bounded <= this.#size || this.#asking) return;
    if (allowed === undefined) {
      this.#change(bounded, "waiting");
      return;
    }
    this.#asking = true;
    void new Promise<number>((resolve) => resolve(allowed()))
      // While one does not know what is allowed, nothing is.
      .catch(() => 0)
      .then((most) => {
        this.#asking = false;
        const size = Math.min(bounded, Number.isFinite(most) ? Math.floor(most) : 0);
        if (size > this.#size && !this.#closed) this.#change(size, "waiting");
      });
  }

  #isRefusal(error: unknown): boolean {
    const { phase, blames } = this.#pool.dialect.judge(error, {
      phase: "connect",
      access: "read",
      inTransaction: false,
    });
    return phase === "connect" && blames === "load";
  }

  #onRefused(): void {
    const { clock, refusedMs, min } = this.#settings;
    this.#refused += 1;
    this.#refusedAt = Math.max(min, this.#pool.stats().total);
    this.#refusedUntilMs = clock.now() + refusedMs;
    if (this.#refusedAt < this.#size && !this.#closed) this.#change(this.#refusedAt, "refused");
  }

  #change(to: number, why: AutosizeResized["why"]): void {
    const from = this.#size;
    if (to === from) return;
    // Also when it fails: the next try comes after the cool-down.
    this.#need.changed(this.#settings.clock.now());
    try {
      this.#pool.resize?.({ max: to });
    } catch {
      // The pool keeps more connections open than that, or is being closed.
      return;
    }
    this.#size = to;
    if (to > from) this.#grown += 1;
    else this.#shrunk += 1;
    this.#pool.events.emit("autosize:resized", { pool: this.#pool.name, from, to, why });
  }
}
