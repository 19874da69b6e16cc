/**
 * Grows a pool when calls wait for connections, and shrinks it when it is larger than it need be.
 *
 * Stands around one pool whose size can be changed, inside the router. More connections than the server can work on make
 * everything slower, so `max` is what the server bears, not what the load asks for: see `suggestPoolSize()`.
 */
import {
  adjustable,
  type Next,
  type Operation,
  type Placement,
  type Policy,
  type PolicyControl,
  type PolicyPart,
  type Pool,
  statefulPolicy,
  type Timer,
  UsageError,
} from "@breakwater/core";
import type { AutosizeResized } from "./events.ts";
import { Need } from "./need.ts";
import { ADJUSTABLE, type AutosizeOptions, type CheckedAutosizeOptions, checkAutosizeOptions } from "./options.ts";

const PLACEMENT: Placement = {
  inside: { router: "each node has a load and a limit of its own" },
};

/**
 * Makes the policy that sizes pools.
 * @throws OptionError when an option is unknown or out of range. Put around a pool whose size cannot be changed it throws
 * a UsageError.
 */
export function autosize(options: AutosizeOptions): Policy {
  const checked = checkAutosizeOptions(options);
  return statefulPolicy("autosize", (inner) => new Autosize(inner, checked), PLACEMENT);
}

class Autosize implements PolicyPart {
  readonly control: PolicyControl;
  readonly #pool: Pool;
  #settings: CheckedAutosizeOptions;
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

  constructor(pool: Pool, settings: CheckedAutosizeOptions) {
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
    this.control = adjustable({
      owner: "autosize",
      options: settings,
      names: ADJUSTABLE,
      check: checkAutosizeOptions,
      apply: (changed) => this.#reconfigure(changed),
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

  #reconfigure(settings: CheckedAutosizeOptions): void {
    this.#settings = settings;
    this.#need.options = settings;
    if (this.#closed) return;
    this.#change(Math.min(settings.max, Math.max(settings.min, this.#size)), "bounds");
    // The next look is due by the new interval.
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#arm();
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
