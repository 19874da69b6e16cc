/**
 * How far a replica is behind, by comparing positions.
 *
 * The time of the last replayed transaction says nothing when the primary is idle, and `replay_lag` says nothing when
 * replay is paused. So the router remembers when it saw the primary where: a replica is as late as the first moment at
 * which the primary was known to be further than the replica is now. That much is proved; it is short of the truth by at
 * most the pause between two probes.
 */
import type { NodeState } from "@breakwater/core";
import type { RouterNode } from "./node.ts";

/** How far behind a replica may be. */
export interface MaxLag {
  /** In milliseconds, above 0; what is proved is at most one `probeIntervalMs` less than what is. @default no limit */
  readonly ms?: number;
  /** In bytes of log, above 0. @default no limit */
  readonly bytes?: number;
}

/** How far behind a replica is. */
export interface Lag {
  /** In milliseconds. */
  readonly ms: number;
  /** In bytes of the log. */
  readonly bytes: number;
}

/** Most moments that are remembered; a lag that began before the first of them is told as that long at least. */
const MAX_MOMENTS = 256;

interface Moment {
  readonly at: number;
  readonly position: bigint;
}

/** Where the primary was when. */
export class PositionHistory {
  // In the order of time and of position. A position is noted when it is first seen: an idle primary adds nothing.
  #moments: Moment[] = [];
  #latest: Moment | undefined;
  readonly #spacingMs: number;

  /** `limitMs` is the lag that must be told from more: moments are as far apart as fit twice that time into the memory. */
  constructor(limitMs = 0) {
    this.#spacingMs = (2 * limitMs) / MAX_MOMENTS;
  }

  /** The primary was seen at a position. */
  record(nowMs: number, position: bigint): void {
    // A promotion may have begun before the old primary's last writes.
    if (this.#latest !== undefined && position < this.#latest.position) this.#moments = [];
    else if (this.#latest?.position === position) return;
    this.#latest = { at: nowMs, position };
    const last = this.#moments.at(-1);
    if (last !== undefined && nowMs - last.at < this.#spacingMs) return;
    if (this.#moments.length >= MAX_MOMENTS) this.#moments.shift();
    this.#moments.push(this.#latest);
  }

  /** How far behind a node is that was seen at a position; undefined when it did not tell. */
  lag(nowMs: number, { position }: Pick<NodeState, "position">): Lag | undefined {
    if (position === undefined) return undefined;
    const latest = this.#latest;
    if (latest === undefined || position >= latest.position) return { ms: 0, bytes: 0 };
    let low = 0;
    let high = this.#moments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#moments[middle] ?? latest).position > position) high = middle;
      else low = middle + 1;
    }
    const ms = Math.max(0, nowMs - (this.#moments[low] ?? latest).at);
    return { ms, bytes: Number(latest.position - position) };
  }
}

/** Looks at each node as it is observed. */
export class LagWatch {
  readonly #history: PositionHistory;
  readonly #max: MaxLag;

  constructor(max: MaxLag) {
    this.#history = new PositionHistory(max.ms);
    this.#max = max;
  }

  /** Takes note of what a node has just said; true when it is too far behind now and was not, or the reverse. */
  observe(node: RouterNode, isPrimary: boolean, nowMs: number): boolean {
    const { observed, lagging } = node;
    if (observed?.position === undefined) return false;
    if (isPrimary) this.#history.record(nowMs, observed.position);
    node.lag = observed.role === "primary" ? undefined : this.#history.lag(nowMs, observed);
    node.lagging = exceeds(node.lag, this.#max);
    return node.lagging !== lagging && node.lag !== undefined;
  }
}

/** Whether a lag is more than is allowed. A node that does not tell its position cannot be found to lag. */
export function exceeds(lag: Lag | undefined, max: MaxLag): boolean {
  if (lag === undefined) return false;
  return (max.ms !== undefined && lag.ms > max.ms) || (max.bytes !== undefined && lag.bytes > max.bytes);
}
