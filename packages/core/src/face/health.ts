/**
 * Whether a database answers, and how its nodes stand.
 */
import { knownOptions, positiveMs } from "../contract/options.ts";
import { type Access, type OperationContext, queryOperation } from "../contract/operation.ts";
import type { Destinations, NodeStats, Pool } from "../contract/pool.ts";
import type { Clock } from "../waiting/clock.ts";
import type { CallOptions } from "./call-options.ts";

/** How the database is. */
export interface Health {
  /**
   * `ok`: all answers; `degraded`: it answers, but not every node is up; `down`: it does not answer, or has no
   * primary.
   */
  readonly status: "ok" | "degraded" | "down";
  /** Whether a read was answered. During a failover that can be so while there is no primary, and writes wait. */
  readonly readable: boolean;
  /** Whether a write would find a primary: a read was answered and, behind a router, a primary is up. */
  readonly writable: boolean;
  /** How long the answer took, in milliseconds; undefined when `status` is `down`, even where a read was answered. */
  readonly latencyMs: number | undefined;
  /** Why no read was answered; undefined where one was. */
  readonly error: unknown;
  /** How the nodes of its router stood at their last look; empty without a router. */
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
  context(options: CallOptions, access: () => Access): OperationContext;
}

type Limited = CallOptions & { readonly timeoutMs: number };

const TEXT = "SELECT 1";

/** Never rejects for a database that is down. @throws OptionError when an option is unknown or out of range. */
export async function healthOf(db: Asked, clock: Clock, options: HealthOptions): Promise<Health> {
  const { timeoutMs = 2_000 } = knownOptions("health", options, ["timeoutMs"]);
  positiveMs("health.timeoutMs", timeoutMs);
  const call: Limited = { timeoutMs, access: "read", consistency: "eventual" };
  const several = destinationsOf(db, call);
  if (several === undefined) return healthOfOne(db, clock, call, () => db.pool.stats().nodes);
  const all = await Promise.all(
    several.all.map((destination) =>
      healthOfOne(db, clock, { ...call, destination }, () => several.nodes(destination)),
    ),
  );
  return healthOfAll(
    all,
    all.filter((_, at) => several.needed.includes(several.all[at] as string)),
  );
}

/** Where its calls go; undefined where there is but one database, and where nobody can say. */
function destinationsOf(db: Asked, call: CallOptions): Destinations | undefined {
  try {
    return db.pool.leadsTo?.(
      queryOperation(
        { text: TEXT },
        db.context(call, () => "read"),
      ),
    );
  } catch {
    // What is wrong is told by the call itself.
    return undefined;
  }
}

async function healthOfOne(
  db: Asked,
  clock: Clock,
  call: Limited,
  nodesNow: () => readonly NodeStats[],
): Promise<Health> {
  const started = clock.now();
  const outcome = await db.query(TEXT, call).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  const readable = outcome === undefined;
  if (readable) await firstLook(db, { ...call, timeoutMs: call.timeoutMs - (clock.now() - started) }, nodesNow());
  const nodes = nodesNow();
  const writable = readable && (nodes.length === 0 || nodes.some(isPrimary));
  if (!writable) return { status: "down", readable, writable, latencyMs: undefined, error: outcome?.error, nodes };
  const status = nodes.every((node) => node.state === "up") ? "ok" : "degraded";
  return { status, readable, writable, latencyMs: clock.now() - started, error: undefined, nodes };
}

/** A replica may have answered before anybody has looked at the primary: that is waited for. */
async function firstLook(db: Asked, call: Limited, nodes: readonly NodeStats[]): Promise<void> {
  if (call.timeoutMs <= 0 || nodes.some(isPrimary) || !nodes.some(({ state }) => state === "unknown")) return;
  await db.query(TEXT, { ...call, consistency: "strong" }).catch(() => undefined);
}

function isPrimary({ role, state }: NodeStats): boolean {
  return role === "primary" && state === "up";
}

/** Of several databases: of use while one of those that are needed is, and well when all are. */
function healthOfAll(all: readonly Health[], needed: readonly Health[]): Health {
  const readable = needed.some((one) => one.readable);
  const writable = needed.some((one) => one.writable);
  const status = writable ? (all.every((one) => one.status === "ok") ? "ok" : "degraded") : "down";
  return {
    status,
    readable,
    writable,
    latencyMs: writable ? Math.max(...needed.map(({ latencyMs = 0 }) => latencyMs)) : undefined,
    error: readable ? undefined : needed[0]?.error,
    nodes: all.flatMap(({ nodes }) => nodes),
  };
}
