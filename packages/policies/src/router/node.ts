/**
 * One node of a router: what was last observed of it. Roles are observed, not assumed.
 */
import type { Clock, NodeState, NodeStats, Pool } from "@breakwater/core";
import type { Candidate } from "./balancer.ts";
import type { Lag } from "./lag.ts";
import { CallWindow } from "./outliers.ts";
import type { SlowStart } from "./slow-start.ts";

/** A node as it is given to a router. */
export interface NodeOptions {
  /** The node's pool. */
  readonly pool: Pool;
  /** Stands in events, errors and rules. @default the pool's name */
  readonly name?: string;
  /** Share of the reads, relative to the others', for the balancers that weigh; above 0. @default 1 */
  readonly weight?: number;
  /** Where it stands: reads prefer nodes in the router's own zone. */
  readonly zone?: string;
}

/** What is to become of an answer, and of a failure. */
export interface Watch<T> {
  /** Somebody wants to know how long it takes. */
  readonly timed: boolean;
  /** It can be compared with those of other nodes. */
  readonly comparable: boolean;
  readonly served: (value: T) => T;
  readonly failed: (error: unknown) => Promise<T>;
}

/** No call has ended on a node for so long although some run: worth a probe, in milliseconds. */
const QUIET_MS = 30;
/** Least time from one such suspicion to the next, in milliseconds: the calls may just be long. */
const QUIET_AGAIN_MS = 250;

export class RouterNode implements Candidate {
  readonly name: string;
  readonly pool: Pool;
  weight: number;
  readonly zone: string | undefined;
  role: "primary" | "replica";
  state: NodeStats["state"] = "unknown";
  /** What the node last said; undefined until it has answered once. */
  observed: NodeState | undefined;
  /** Probes that failed since the last answer. */
  failedProbes = 0;
  /** Another node has a newer history: what this one calls primary is a primary of the past. */
  fenced = false;
  /** How often it has been down: what was read before is no measure of what can be read after. */
  outages = 0;
  /** Takes no new calls, by its owner's wish. */
  draining = false;
  /** It refused a write; until it has said again that it is the primary it gets none. */
  doubted = false;
  /** A probe has been without an answer for longer than an answer takes. */
  late = false;
  lag: Lag | undefined;
  /** Lags more than is allowed. */
  lagging = false;
  /** Failed calls in a row, of the kinds that eject. */
  failures = 0;
  /** Its calls since it was last compared with the others. */
  readonly window: CallWindow = new CallWindow();
  ejections = 0;
  /** When its ejection ends; undefined when it is not ejected. */
  ejectedUntil: number | undefined;
  readmittedAt = 0;
  /** Lets calls in a few at a time; undefined at full speed. */
  gate: SlowStart | undefined;
  running = 0;
  // Counts calls that have ended, and when that was first seen not to have grown from one call to the next.
  #ended = 0;
  #seenEnded = 0;
  #seenAt: number | undefined;
  #quietAt = Number.NEGATIVE_INFINITY;
  #idle: (() => void)[] = [];

  constructor({ pool, name, weight, zone }: NodeOptions, role: "primary" | "replica") {
    this.pool = pool;
    this.name = name ?? pool.name;
    this.weight = weight ?? 1;
    this.zone = zone;
    this.role = role;
  }

  /** The node since its last outage. */
  get life(): string {
    return `${this.name}#${this.outages}`;
  }

  /** Whether calls may be sent: it is not known to be down. */
  get open(): boolean {
    return this.state !== "down" && !this.fenced && !this.draining;
  }

  /**
   * A call begins. True when the node has been suspiciously quiet: calls run there, and none has ended for a while. Reading
   * the time costs more than all else that is done here, so that it is not read before a second call begins in a row.
   */
  begin(clock: Clock): boolean {
    let quiet = false;
    if (this.running === 0 || this.#ended !== this.#seenEnded) {
      this.#seenEnded = this.#ended;
      this.#seenAt = undefined;
    } else {
      const nowMs = clock.now();
      this.#seenAt ??= nowMs;
      quiet = nowMs - this.#seenAt > QUIET_MS && nowMs - this.#quietAt > QUIET_AGAIN_MS;
      if (quiet) this.#quietAt = nowMs;
    }
    this.running += 1;
    return quiet;
  }

  /** A call has ended. */
  end(): void {
    this.running -= 1;
    this.#ended += 1;
    if (this.running === 0 && this.#idle.length > 0) for (const idle of this.#idle.splice(0)) idle();
  }

  /** A call has been answered. Made once, so that a call makes none. */
  readonly served = <T>(value: T): T => {
    this.end();
    this.failures = 0;
    return value;
  };

  /** The same of a call that is compared with those of other nodes, and was not timed. */
  readonly counted = <T>(value: T): T => {
    this.window.calls += 1;
    return this.served(value);
  };

  /** Resolves when no call runs there. */
  whenIdle(): Promise<void> {
    return this.running === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  stats(): NodeStats {
    const role = this.fenced ? "unknown" : this.role;
    return Object.freeze({ name: this.name, role, state: this.state, pool: this.pool.stats() });
  }

  /** What a router says of the node beside that. */
  details(): Readonly<Record<string, unknown>> {
    const { running, draining, weight, lag, late } = this;
    return Object.freeze({
      running,
      draining,
      weight,
      late,
      fenced: this.fenced,
      ejected: this.ejectedUntil !== undefined,
      ejections: this.ejections,
      starting: this.gate !== undefined,
      lagMs: lag?.ms,
      lagBytes: lag?.bytes,
    });
  }
}
