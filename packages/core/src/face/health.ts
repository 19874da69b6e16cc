/**
 * Whether a database answers, and how its nodes stand.
 */
import { knownOptions, positiveMs } from "../contract/options.ts";
import type { NodeStats, Pool } from "../contract/pool.ts";
import type { Clock } from "../waiting/clock.ts";
import type { CallOptions } from "./call-options.ts";

/** How the database is. */
export interface Health {
  /** `ok`: all answers; `degraded`: it answers, but a node is down; `down`: it does not answer, or has no primary. */
  readonly status: "ok" | "degraded" | "down";
  /** Whether a read was answered. During a failover that can be so while there is no primary, and writes wait. */
  readonly readable: boolean;
  /** Whether a write would find a primary now. */
  readonly writable: boolean;
  /** How long the answer took, in milliseconds; undefined when there was none. */
  readonly latencyMs: number | undefined;
  /** Why no read was answered. */
  readonly error: unknown;
  /** The nodes of its router; empty without one. */
  readonly nodes: readonly NodeStats[];
}

/** Options of `health`. */
export interface HealthOptions {
  /** Longest wait for an answer, in milliseconds. @default 2000 */
  readonly timeoutMs?: number;
}

/** What is asked. */
interface Asked {
  readonly pool: Pool;
  query(text: string, options: CallOptions): Promise<unknown>;
}

/** Never rejects for a database that is down. */
export async function healthOf(db: Asked, clock: Clock, options: HealthOptions): Promise<Health> {
  const { timeoutMs = 2_000 } = knownOptions("health", options, ["timeoutMs"]);
  positiveMs("health.timeoutMs", timeoutMs);
  const started = clock.now();
  const outcome = await db.query("SELECT 1", { timeoutMs, access: "read", consistency: "eventual" }).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  const { nodes } = db.pool.stats();
  const primary = nodes.find((node) => node.role === "primary" && node.state === "up");
  const readable = outcome === undefined;
  const writable = readable && (nodes.length === 0 || primary !== undefined);
  if (!writable) return { status: "down", readable, writable, latencyMs: undefined, error: outcome?.error, nodes };
  const status = nodes.every((node) => node.state === "up") ? "ok" : "degraded";
  return { status, readable, writable, latencyMs: clock.now() - started, error: undefined, nodes };
}
