/**
 * Takes a replica out of the rotation that answers its probes but fails its calls, or is far slower than the others, for
 * a while that grows each time.
 *
 * After Envoy's outlier detection (consecutive failures, failures among the calls, time times count, a share that stays),
 * with jitter, and with latency besides.
 */
import type { Clock, Events, Random } from "@breakwater/core";
import type { RouterNode } from "./node.ts";
import type { RouterLimits } from "./options.ts";
import { type CallWindow, type EjectionCause, failsMore, isSlower } from "./outliers.ts";

/** When a node is ejected, and for how long. */
export interface EjectionOptions {
  /** Failures in a row that eject; from 1. Those count that blame the node or its load, not the statement. @default 5 */
  readonly failures?: number;
  /** Share of a replica's calls that must fail, while the others fail less than half as many; false for never. @default 0.5 */
  readonly failureRatio?: number | false;
  /** How many times as long as the others' a replica's calls take, at the median; above 1, false for never. @default 3 */
  readonly latencyFactor?: number | false;
  /** By how much they must take longer besides, in milliseconds from 0. @default 2 */
  readonly minLatencyGapMs?: number;
  /** Calls of a replica that it takes to compare it; a whole number from 1. @default 20 */
  readonly minimumCalls?: number;
  /** Pause between two looks at the replicas' calls, in milliseconds; above 0. @default 1000 */
  readonly intervalMs?: number;
  /** How long the first time, in milliseconds, above 0; the n-th lasts n times as long, ± 20 %. @default 5000 */
  readonly baseMs?: number;
  /** Longest time, in milliseconds. One that is only slow is tried again after 20 seconds at the latest. @default 300000 */
  readonly maxMs?: number;
  /** Most of the replicas that are out at one time, as a share of them, above 0, at most 1. One always stays. @default 0.5 */
  readonly maxRatio?: number;
}

const JITTER = 0.2;
/** Longest that a replica is left out for being slow, in milliseconds: that it is well again shows only in its calls. */
const SLOW_MS = 20_000;
/** Looks in a row at which a replica must be too slow: one may be a checkpoint, or a pause of our own. */
const SLOW_LOOKS = 2;
/** How long after it has come back a single look is enough, in milliseconds. */
const PROBATION_MS = 60_000;
/** So many times the calls that it takes are kept for a comparison, where there is nobody to compare with. */
const OLD = 10;

/** What ejection needs to know, and whom it tells. */
export interface EjectionHost {
  readonly name: string;
  readonly clock: Clock;
  readonly events: Events;
  readonly random: Random;
  readonly limits: RouterLimits;
  readonly replicas: () => readonly RouterNode[];
  /** A replica is out from now on. */
  readonly ejected: () => void;
}

export class Ejection {
  readonly #host: EjectionHost;
  #lookedAtMs: number;

  constructor(host: EjectionHost) {
    this.#host = host;
    this.#lookedAtMs = host.clock.now();
  }

  /** Whether answers are to be timed. */
  get on(): boolean {
    return this.#options !== undefined;
  }

  /** Counts an answer whose duration says nothing of the replica. */
  answered({ window }: RouterNode): void {
    window.calls += 1;
  }

  /** Counts an answer, and how long it took. What had begun before the replica was left out says nothing of it now. */
  timed({ role, window, readmittedAt }: RouterNode, startedMs: number, nowMs: number): void {
    if (role !== "replica" || startedMs < readmittedAt) return;
    window.calls += 1;
    window.latencies.record(nowMs - startedMs, nowMs);
    this.#mayLook(nowMs);
  }

  /** Counts a failed call. */
  failed(node: RouterNode): void {
    const options = this.#options;
    if (node.role !== "replica" || options === undefined) return;
    const nowMs = this.#host.clock.now();
    node.failures += 1;
    node.window.calls += 1;
    node.window.failures += 1;
    if (node.failures >= options.failures) this.#eject(node, "failures", options, nowMs);
    this.#mayLook(nowMs);
  }

  get #options(): Required<EjectionOptions> | undefined {
    const { ejection } = this.#host.limits;
    return ejection === false ? undefined : ejection;
  }

  #mayLook(nowMs: number): void {
    const options = this.#options;
    if (options !== undefined && nowMs - this.#lookedAtMs >= options.intervalMs) this.#look(options, nowMs);
  }

  /** Compares those that have been called often enough; the others' calls count on. */
  #look(options: Required<EjectionOptions>, nowMs: number): void {
    const { failureRatio, latencyFactor, minLatencyGapMs, minimumCalls } = options;
    this.#lookedAtMs = nowMs;
    const replicas = this.#host.replicas();
    const compared = replicas.filter(
      ({ window, ejectedUntil }) => ejectedUntil === undefined && window.calls >= minimumCalls,
    );
    const found: [RouterNode, EjectionCause][] = [];
    for (const node of compared) {
      const { window } = node;
      const others = compared.filter((other) => other !== node).map((other) => other.window);
      if (others.length === 0) continue;
      const timed = (one: CallWindow): boolean => one.latencies.count > 0;
      const slower =
        latencyFactor !== false &&
        timed(window) &&
        others.every(timed) &&
        isSlower(window, others, latencyFactor, minLatencyGapMs);
      window.slow = slower ? window.slow + 1 : 0;
      if (failureRatio !== false && failsMore(window, others, failureRatio)) found.push([node, "failure-ratio"]);
      else if (window.slow >= (onProbation(node, nowMs) ? 1 : SLOW_LOOKS)) found.push([node, "latency"]);
    }
    // One that serves alone is compared with others by what it does when they serve too.
    for (const { window } of compared) if (compared.length > 1 || window.calls > OLD * minimumCalls) window.clear();
    for (const [node, cause] of found) this.#eject(node, cause, options, nowMs);
  }

  #eject(node: RouterNode, cause: EjectionCause, options: Required<EjectionOptions>, nowMs: number): void {
    const { baseMs, maxMs, maxRatio } = options;
    if (node.ejectedUntil !== undefined || !this.#mayLose(node, maxRatio)) return;
    const longest = cause === "latency" ? Math.min(maxMs, SLOW_MS) : maxMs;
    // Every stretch of base time that went well makes up for one ejection.
    const forgiven = Math.floor(Math.max(0, nowMs - node.readmittedAt) / baseMs);
    node.ejections = Math.max(0, node.ejections - forgiven) + 1;
    const ms = Math.min(longest, baseMs * node.ejections) * (1 - JITTER + 2 * JITTER * this.#host.random());
    const forMs = Math.min(maxMs, ms);
    node.ejectedUntil = nowMs + forMs;
    node.failures = 0;
    node.window.clear();
    node.window.slow = 0;
    const { events, name, ejected } = this.#host;
    events.emit("router:node-ejected", { pool: name, node: node.name, forMs, cause });
    ejected();
  }

  #mayLose(node: RouterNode, maxRatio: number): boolean {
    const replicas = this.#host.replicas();
    const out = replicas.filter((other) => other.ejectedUntil !== undefined).length;
    const others = replicas.filter((other) => other !== node && other.open && other.ejectedUntil === undefined).length;
    return others > 0 && out + 1 <= Math.max(1, Math.floor(maxRatio * replicas.length));
  }
}

/** Whether a replica has been left out a short while ago. */
function onProbation({ ejections, readmittedAt }: RouterNode, nowMs: number): boolean {
  return ejections > 0 && nowMs - readmittedAt < PROBATION_MS;
}

/** Puts those back whose time is over, and says when the next one's will be. */
export function readmit(nodes: readonly RouterNode[], nowMs: number): { back: RouterNode[]; nextMs: number } {
  const back = nodes.filter(({ ejectedUntil = Number.POSITIVE_INFINITY }) => ejectedUntil <= nowMs);
  for (const node of back) {
    node.ejectedUntil = undefined;
    node.readmittedAt = nowMs;
    node.window.clear();
  }
  return { back, nextMs: Math.min(...nodes.map(({ ejectedUntil }) => ejectedUntil ?? Number.POSITIVE_INFINITY)) };
}
