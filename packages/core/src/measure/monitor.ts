/**
 * Reports at an interval how a pool stands and what it has done since the last report.
 */
import { type Clock, systemClock, type Timer } from "../waiting/clock.ts";
import { messageOf, OptionError } from "../contract/errors.ts";
import type { Events } from "../contract/events.ts";
import { metricsSince, type PoolMetrics, sumOfMetrics } from "./metrics.ts";
import { knownOptions, positiveMs } from "../contract/options.ts";
import type { PoolStats } from "../contract/pool.ts";

/** What a pool has done between two reports; its counts and percentiles are those of this time alone. */
export interface PoolDelta extends PoolMetrics {
  /** The length of this time, in milliseconds: the interval, or more where a reporter took longer. */
  readonly elapsedMs: number;
  /** Calls that ended, per second. */
  readonly callsPerSecond: number;
  /** The same for each node of a router that is there now. */
  readonly nodes: readonly NodeDelta[];
}

/** What one node has done between two reports. */
export interface NodeDelta extends PoolMetrics {
  /** Name of the node. */
  readonly name: string;
  /** Calls that ended between the two, per second. */
  readonly callsPerSecond: number;
}

/** What can be watched: a `Database`, or a pool. */
export type Monitored = MonitoredPool | { readonly pool: MonitoredPool };

/** A pool, as far as it is watched. */
export interface MonitoredPool {
  /** Name of the pool. */
  readonly name: string;
  /** The pool's bus; `pool:closed` of this pool ends the monitor. */
  readonly events: Events;
  /** Asked once for each report, and once at the beginning. */
  stats(): PoolStats;
}

/** What a monitor reports, and when. */
export interface MonitorOptions {
  /** Time between two reports, in milliseconds; above 0. @default 10000 */
  readonly intervalMs?: number;
  /**
   * Is told. While a promise that it returned has not settled, no report is made; the next one covers the whole time.
   * What it throws becomes a process warning.
   */
  readonly report: (snapshot: PoolStats, delta: PoolDelta) => unknown;
  /** Source of the time; the same as the stack's. @default systemClock */
  readonly clock?: Clock;
}

/** A running monitor. It ends by itself when its pool is closed. */
export interface Monitor {
  /** Ends it; nothing is reported any more. */
  stop(): void;
  /** The same as `stop()`. */
  [Symbol.dispose](): void;
}

/**
 * Begins to watch a database or a pool. The timer does not keep the process alive.
 * @throws OptionError when an option is unknown or out of range.
 */
export function monitor(watched: Monitored, options: MonitorOptions): Monitor {
  knownOptions("monitor", options, ["intervalMs", "report", "clock"]);
  const { intervalMs = 10_000, report, clock = systemClock } = options;
  positiveMs("monitor.intervalMs", intervalMs);
  if (typeof report !== "function") throw new OptionError("monitor.report", report, "a function");
  if (typeof clock?.setTimer !== "function") throw new OptionError("monitor.clock", clock, "a clock");
  const pool = "pool" in watched ? watched.pool : watched;
  if (typeof pool?.stats !== "function") throw new TypeError("monitor() must be given a database or a pool");
  return new IntervalMonitor(pool, intervalMs, report, clock);
}

class IntervalMonitor implements Monitor {
  readonly #pool: MonitoredPool;
  readonly #intervalMs: number;
  readonly #report: MonitorOptions["report"];
  readonly #clock: Clock;
  readonly #unlisten: () => void;
  #earlier: PoolStats;
  #sinceMs: number;
  #timer: Timer | undefined;
  #reporting = false;
  #stopped = false;

  constructor(pool: MonitoredPool, intervalMs: number, report: MonitorOptions["report"], clock: Clock) {
    this.#pool = pool;
    this.#intervalMs = intervalMs;
    this.#report = report;
    this.#clock = clock;
    this.#earlier = pool.stats();
    this.#sinceMs = clock.now();
    // A router's bus also tells of the ends of its nodes.
    this.#unlisten = pool.events.on("pool:closed", (event) => {
      if (event.pool === pool.name) this.stop();
    });
    this.#wait(this.#sinceMs + intervalMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#unlisten();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #wait(dueMs: number): void {
    const tick = (): void => {
      if (!this.#reporting) this.#tell();
      if (this.#stopped) return;
      const [nowMs, nextMs] = [this.#clock.now(), dueMs + this.#intervalMs];
      // What a blocked process missed is not made up for.
      this.#wait(nextMs > nowMs ? nextMs : nowMs + this.#intervalMs);
    };
    this.#timer = this.#clock.setTimer(dueMs - this.#clock.now(), tick, true);
  }

  #tell(): void {
    const nowMs = this.#clock.now();
    try {
      const stats = this.#pool.stats();
      const delta = deltaOf(this.#earlier, stats, nowMs - this.#sinceMs);
      this.#earlier = stats;
      this.#sinceMs = nowMs;
      const outcome = this.#report(stats, delta);
      if (!isThenable(outcome)) return;
      this.#reporting = true;
      const settled = (): void => {
        this.#reporting = false;
      };
      outcome.then(settled, (error: unknown) => {
        settled();
        complain(error);
      });
    } catch (error) {
      complain(error);
    }
  }
}

/** What has been done between two moments of a pool. */
function deltaOf(earlier: PoolStats, now: PoolStats, elapsedMs: number): PoolDelta {
  const perSecond = ({ calls }: PoolMetrics): number => (elapsedMs > 0 ? (calls * 1_000) / elapsedMs : 0);
  const before = new Map(earlier.nodes.map(({ name, pool }) => [name, pool.metrics]));
  const nodes = now.nodes.map(({ name, pool: { metrics } }) => {
    const then = before.get(name);
    const done = then === undefined ? metrics : metricsSince(metrics, then);
    return Object.freeze({ name, ...done, callsPerSecond: perSecond(done) });
  });
  // The sums of a router fall when a node leaves; those of what each node did do not.
  const all = nodes.length > 0 ? sumOfMetrics(nodes) : metricsSince(now.metrics, earlier.metrics);
  return Object.freeze({ ...all, elapsedMs, callsPerSecond: perSecond(all), nodes: Object.freeze(nodes) });
}

function complain(error: unknown): void {
  process.emitWarning(`a monitor's report threw: ${messageOf(error)}`, { code: "BREAKWATER_MONITOR" });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
