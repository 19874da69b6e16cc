/**
 * The circuit of one pool: closed, open, half-open or isolated.
 */
import {
  adjustable,
  CircuitOpenError,
  type Failure,
  failureOf,
  type Next,
  type Operation,
  type PolicyControl,
  type PolicyPart,
  type Pool,
  RejectedError,
} from "@breakwater/core";
import type { CircuitClosed } from "./events.ts";
import { ADJUSTABLE, type CheckedCircuitBreakerOptions, checkCircuitBreakerOptions } from "./options.ts";
import { SlowCalls, TOO_SLOW } from "./slow-calls.ts";
import { makeTrip, type Trip } from "./trip.ts";
import { verdictOf } from "./verdict.ts";

export type CircuitState = "closed" | "open" | "half-open" | "isolated";

/** What is done with the outcome of a call. Made once for each closed period, so that a call allocates none. */
interface Watch {
  readonly ok: <T>(value: T) => T;
  readonly failed: (error: unknown) => never;
}

export class Circuit implements PolicyPart {
  readonly control: PolicyControl;
  #options: CheckedCircuitBreakerOptions;
  readonly #pool: Pool;
  #trip: Trip;
  #slow: SlowCalls;
  /** It opened because calls were slow: that a probe is answered is no news then. */
  #wasSlow = false;
  #state: CircuitState = "closed";
  /**
   * Counts the outcomes of calls that began in this closed period, and no others: calls that hung through a break all
   * fail at once when the node is back, and must not open the circuit again.
   */
  #watch: Watch;
  /** When it last opened; undefined when it never did. */
  #openedAtMs: number | undefined;
  /** The call that tries while half-open; undefined when the last one told nothing, so that the next call tries. */
  #trial: { readonly sinceMs: number } | undefined;
  readonly #isolations = new Set<object>();
  #opened = 0;
  #rejected = 0;

  constructor(options: CheckedCircuitBreakerOptions, pool: Pool) {
    this.#options = options;
    this.#pool = pool;
    this.#trip = makeTrip(options.trip, options.clock);
    this.#slow = new SlowCalls(options);
    this.control = adjustable({
      owner: "circuitBreaker",
      options,
      names: ADJUSTABLE,
      check: checkCircuitBreakerOptions,
      apply: (changed) => this.#change(changed),
      actions: { isolate: () => this.isolate(), reset: () => this.reset(), state: () => this.state },
    });
    this.#watch = this.#newWatch();
  }

  get state(): CircuitState {
    return this.#state;
  }

  get pool(): string {
    return this.#pool.name;
  }

  execute<T>(operation: Operation<T>, next: Next): Promise<T> {
    if (this.#state === "closed") {
      const { ok, failed } = this.#watch;
      // What a caller's function does takes time of its own.
      const timed = this.#options.slowCallMs !== false && operation.kind === "query";
      return timed ? this.#timed(operation, next) : next(operation).then(ok, failed);
    }
    if (operation.purpose === "probe") return this.#probe(operation, next);
    const retryAfterMs = this.#retryAfterMs();
    if (retryAfterMs === 0 && this.#mayTry()) return this.#try(operation, next);
    this.#rejected++;
    operation.trace?.note("circuit-breaker", "refuses it", { pool: this.pool, state: this.#state, retryAfterMs });
    return Promise.reject(new CircuitOpenError(this.#pool.name, retryAfterMs));
  }

  /** Refuses calls until the returned function is called, and every other one that was given out. */
  isolate(): () => void {
    const isolation = {};
    if (this.#isolations.add(isolation).size === 1) {
      this.#state = "isolated";
      this.#trial = undefined;
      this.#pool.events.emit("circuit-breaker:isolated", { pool: this.#pool.name });
    }
    return () => {
      if (this.#isolations.delete(isolation) && this.#isolations.size === 0) this.#close("lifted");
    };
  }

  /** Closes the circuit, whatever it was, and lifts every isolation. */
  reset(): void {
    this.#isolations.clear();
    if (this.#state === "closed") this.#forget();
    else this.#close("reset");
  }

  stats(): Readonly<Record<string, unknown>> {
    return {
      state: this.#state,
      ...this.#trip.counts(),
      ...(this.#options.slowCallMs !== false && { slow: this.#slow.count }),
      rejected: this.#rejected,
      opened: this.#opened,
      openedAtMs: this.#openedAtMs,
      retryAfterMs: this.#state === "closed" ? undefined : this.#retryAfterMs(),
    };
  }

  /** How long until a call may try: 0 when the break is over, undefined while isolated by hand. */
  #retryAfterMs(): number | undefined {
    if (this.#state === "isolated") return undefined;
    return Math.max(0, (this.#openedAtMs ?? 0) + this.#options.breakMs - this.#options.clock.now());
  }

  /** A trial that has not ended within a break is not waited for, lest one that hangs keep the circuit half-open. */
  #mayTry(): boolean {
    return this.#trial === undefined || this.#options.clock.now() >= this.#trial.sinceMs + this.#options.breakMs;
  }

  #try<T>(operation: Operation<T>, next: Next): Promise<T> {
    const trial = { sinceMs: this.#options.clock.now() };
    this.#trial = trial;
    operation.trace?.note("circuit-breaker", "lets it try", { pool: this.pool });
    const tooSlow = (): boolean =>
      operation.kind === "query" && this.#isSlow(this.#options.clock.now() - trial.sinceMs);
    if (this.#state === "open") {
      this.#state = "half-open";
      this.#pool.events.emit("circuit-breaker:half-opened", { pool: this.#pool.name });
    }
    const opened = this.#opened;
    // While this one ran, a probe may have closed the circuit, another trial opened it again, a hand isolated it.
    const undecided = (): boolean => this.#state === "half-open" && this.#opened === opened;
    return next(operation).then(
      (value) => {
        if (undecided() && tooSlow()) this.#open("half-open", TOO_SLOW);
        else if (undecided()) this.#close("trial");
        return value;
      },
      (error: unknown) => {
        const verdict = verdictOf(error, this.#options.counts);
        if (this.#trial === trial) this.#trial = undefined;
        if (undecided() && verdict === "failed") this.#open("half-open", failureOf(error));
        else if (undecided() && verdict === "answered") this.#close("trial");
        throw error;
      },
    );
  }

  /** A probe passes always. Its answer is proof of life; its failure tells nothing that is not known. */
  #probe<T>(operation: Operation<T>, next: Next): Promise<T> {
    const opened = this.#opened;
    const alive = (): void => {
      // An answer to what was asked before the circuit last opened is no news.
      const waiting = this.#state === "open" || this.#state === "half-open";
      if (waiting && this.#opened === opened && !this.#wasSlow) this.#close("probe");
    };
    return next(operation).then(
      (value) => {
        alive();
        return value;
      },
      (error: unknown) => {
        if (verdictOf(error, this.#options.counts) === "answered") alive();
        throw error;
      },
    );
  }

  #isSlow(tookMs: number): boolean {
    const { slowCallMs } = this.#options;
    return slowCallMs !== false && tookMs >= slowCallMs;
  }

  /** Counts how long a call took, beside how it ended. */
  #timed<T>(operation: Operation<T>, next: Next): Promise<T> {
    const watch = this.#watch;
    const { clock } = this.#options;
    const sinceMs = clock.now();
    const ended = (): void => {
      if (this.#state !== "closed" || this.#watch !== watch) return;
      const nowMs = clock.now();
      const slow = this.#isSlow(nowMs - sinceMs);
      if (this.#slow.call(slow, this.#options.slowCallRatio, nowMs)) this.#open("closed", TOO_SLOW);
    };
    return next(operation).then(
      (value) => {
        ended();
        return watch.ok(value);
      },
      (error: unknown) => {
        // Refused further in: the node was not asked.
        if (!(error instanceof RejectedError)) ended();
        return watch.failed(error);
      },
    );
  }

  #newWatch(): Watch {
    const watch: Watch = {
      ok: (value) => {
        if (this.#watch === watch) this.#trip.success();
        return value;
      },
      failed: (error) => {
        if (this.#state === "closed" && this.#watch === watch) {
          const verdict = verdictOf(error, this.#options.counts);
          if (verdict === "answered") this.#trip.success();
          else if (verdict === "failed" && this.#trip.failure()) this.#open("closed", failureOf(error));
        }
        throw error;
      },
    };
    return watch;
  }

  #forget(): void {
    this.#trip.reset();
    this.#slow.reset();
    this.#watch = this.#newWatch();
  }

  /** Counting begins anew only where the rule is of another kind, or about other calls. */
  #change(options: CheckedCircuitBreakerOptions): void {
    const { trip, clock } = this.#options;
    this.#options = options;
    if (JSON.stringify(options.trip) === JSON.stringify(trip)) return;
    this.#trip = makeTrip(options.trip, clock, this.#trip);
    this.#slow = new SlowCalls(options);
  }

  #open(from: "closed" | "half-open", failure: Failure): void {
    this.#state = "open";
    this.#wasSlow = failure === TOO_SLOW;
    this.#trial = undefined;
    this.#openedAtMs = this.#options.clock.now();
    this.#opened++;
    const { breakMs } = this.#options;
    this.#pool.events.emit("circuit-breaker:opened", { pool: this.#pool.name, from, breakMs, failure });
  }

  #close(why: CircuitClosed["why"]): void {
    this.#state = "closed";
    this.#trial = undefined;
    this.#forget();
    this.#pool.events.emit("circuit-breaker:closed", { pool: this.#pool.name, why });
  }
}
