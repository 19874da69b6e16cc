/**
 * Takes a replica out of the rotation that answers its probes but fails its calls, for a while that grows each time.
 *
 * After Envoy's outlier detection (consecutive failures, time times count, a share that stays), with jitter.
 */
import type { Random } from "@breakwater/core";
import type { RouterNode } from "./node.ts";

export interface EjectionOptions {
  /** Failures in a row that eject; from 1. Those count that blame the node or its load, not the statement. @default 5 */
  readonly failures?: number;
  /** How long the first time, in milliseconds, above 0; the n-th lasts n times as long, ± 20 %. @default 5000 */
  readonly baseMs?: number;
  /** Longest time, in milliseconds. @default 300000 */
  readonly maxMs?: number;
  /** Most of the replicas that are out at one time, as a share of them, above 0, at most 1. One always stays. @default 0.5 */
  readonly maxRatio?: number;
}

const JITTER = 0.2;

export class Ejection {
  readonly #options: Required<EjectionOptions>;
  readonly #random: Random;

  constructor(options: Required<EjectionOptions>, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** Counts a failed call; true when the node is out from now on. */
  failed(node: RouterNode, replicas: readonly RouterNode[], nowMs: number): boolean {
    node.failures += 1;
    const { failures, baseMs, maxMs } = this.#options;
    if (node.failures < failures || node.ejectedUntil !== undefined || !this.#mayLose(node, replicas)) return false;
    // Every stretch of base time that went well makes up for one ejection.
    const forgiven = Math.floor(Math.max(0, nowMs - node.readmittedAt) / baseMs);
    node.ejections = Math.max(0, node.ejections - forgiven) + 1;
    const ms = Math.min(maxMs, baseMs * node.ejections) * (1 - JITTER + 2 * JITTER * this.#random());
    node.ejectedUntil = nowMs + Math.min(maxMs, ms);
    node.failures = 0;
    return true;
  }

  #mayLose(node: RouterNode, replicas: readonly RouterNode[]): boolean {
    const out = replicas.filter((other) => other.ejectedUntil !== undefined).length;
    const others = replicas.filter((other) => other !== node && other.open && other.ejectedUntil === undefined).length;
    return others > 0 && out + 1 <= Math.max(1, Math.floor(this.#options.maxRatio * replicas.length));
  }
}

/** Puts those back whose time is over, and says when the next one's will be. */
export function readmit(nodes: readonly RouterNode[], nowMs: number): { back: RouterNode[]; nextMs: number } {
  const back = nodes.filter(({ ejectedUntil = Number.POSITIVE_INFINITY }) => ejectedUntil <= nowMs);
  for (const node of back) {
    node.ejectedUntil = undefined;
    node.readmittedAt = nowMs;
  }
  return { back, nextMs: Math.min(...nodes.map(({ ejectedUntil }) => ejectedUntil ?? Number.POSITIVE_INFINITY)) };
}
