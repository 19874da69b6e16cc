/**
 * One stack that is shown: what it says of itself, put into the shape of the report.
 */
import {
  type Clock,
  type Control,
  type Database,
  type NodeStanding,
  type NodeStats,
  type PolicyStats,
  type PoolStats,
  routersStanding,
} from "@breakwater/core";
import { latencyOf, RecentCalls } from "./recent-calls.ts";
import { type EventNumbers, RecentEvents } from "./recent-events.ts";
import type {
  ControlReport,
  DatabaseReport,
  NodeReport,
  PeriodReport,
  PolicyReport,
  PoolReport,
  TotalReport,
} from "./report.ts";

/** Most counters of one policy that are shown, and longest word. */
const MAX_COUNTERS = 40;
const MAX_WORD = 100;

/** A stack, its last events, and what it did lately. */
export class Watched {
  readonly name: string;
  readonly db: Database;
  readonly #events: RecentEvents;
  readonly #calls: RecentCalls;
  readonly #clock: Clock;

  constructor(name: string, db: Database, maxEvents: number, numbers: EventNumbers, clock: Clock) {
    this.name = name;
    this.db = db;
    this.#clock = clock;
    this.#calls = new RecentCalls(db.stats(), clock.now());
    this.#events = new RecentEvents(db, maxEvents, numbers, clock);
  }

  report(): DatabaseReport {
    const stats = this.db.stats();
    const recent = this.#calls.look(stats, this.#clock.now());
    const { nodes: standing, waitingForNode = 0 } = routersStanding(stats);
    const nodes =
      stats.nodes.length > 0
        ? stats.nodes.map((node) =>
            nodeOf(node, standing.get(node.name) ?? {}, recent.nodes.get(node.name) ?? recent.all),
          )
        : [lonePool(stats, recent.all)];
    return {
      name: this.name,
      status: statusOf(nodes, stats.nodes.length > 0),
      stack: stats.policies.map(({ policy }) => policy),
      waitingForNode,
      pool: poolOf(stats),
      recent: recent.all,
      total: totalOf(stats),
      policies: stats.policies.map(policyOf),
      nodes,
      controls: this.db.controls.list().map(controlOf),
      events: this.#events.list((pool) => stats.nodes.find((node) => node.pool.name === pool)?.name),
    };
  }

  close(): void {
    this.#events.close();
  }
}

function nodeOf({ name, role, state, pool }: NodeStats, details: NodeStanding, recent: PeriodReport): NodeReport {
  const { weight, lagMs, lagBytes } = details;
  return {
    name,
    role,
    state,
    breaker: breakerOf(pool.policies),
    lag: lagMs === undefined || role === "primary" ? null : { ms: Math.round(lagMs), bytes: lagBytes ?? 0 },
    weight: weight ?? null,
    drained: details.draining === true,
    ejected: details.ejected === true,
    lagging: details.late === true,
    fenced: details.fenced === true,
    starting: details.starting === true,
    stack: pool.policies.map(({ policy }) => policy),
    pool: poolOf(pool),
    recent,
    total: totalOf(pool),
    policies: pool.policies.map(policyOf),
  };
}

/** A pool without a router is shown as the only node; nobody observes it. */
function lonePool(stats: PoolStats, recent: PeriodReport): NodeReport {
  const state = stats.idle + stats.active > 0 ? "up" : "unknown";
  const node = nodeOf({ name: stats.name, role: "unknown", state, pool: stats }, {}, recent);
  // The policies are those of the stack, which is shown already.
  return { ...node, stack: [], policies: [] };
}

function statusOf(nodes: readonly NodeReport[], routed: boolean): DatabaseReport["status"] {
  if (nodes.every(({ state }) => state === "unknown")) return "unknown";
  const serves = ({ state, breaker, role }: NodeReport): boolean =>
    state === "up" && (breaker === null || breaker === "closed") && (!routed || role !== "unknown");
  if (nodes.every(serves)) return "ok";
  return nodes.some((node) => node.state === "up" && (!routed || node.role === "primary")) ? "degraded" : "down";
}

function breakerOf(policies: readonly PolicyStats[]): string | null {
  const state = policies.find(({ policy }) => policy === "circuit-breaker")?.["state"];
  return typeof state === "string" ? state : null;
}

function poolOf({ total, idle, active, waiting, connecting, max }: PoolStats): PoolReport {
  return { total, idle, active, waiting, connecting, max };
}

function totalOf({ metrics: { calls, failed, connections, errors, execution } }: PoolStats): TotalReport {
  return {
    calls,
    failed,
    opened: connections.opened,
    closed: connections.closed,
    refused: connections.failed,
    connectionErrors: errors.connection,
    timeouts: errors.timeout,
    sqlErrors: errors.sql,
    latency: latencyOf(execution),
  };
}

/** The plain counters of a policy, and those one level below as `budget.left`. */
function policyOf({ policy, ...stats }: PolicyStats): PolicyReport {
  const counters = Object.entries(stats).flatMap(([name, value]) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.entries(value).map(([below, each]) => [`${name}.${below}`, plain(each)] as const)
      : [[name, plain(value)] as const],
  );
  const shown = counters.filter((each): each is [string, number | string | boolean] => each[1] !== undefined);
  return { policy, counters: Object.fromEntries(shown.slice(0, MAX_COUNTERS)) };
}

function plain(value: unknown): number | string | boolean | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? Math.round(value * 1_000) / 1_000 : undefined;
  if (typeof value === "string") return value.slice(0, MAX_WORD);
  return typeof value === "boolean" ? value : undefined;
}

function controlOf(control: Control): ControlReport {
  const { name, policy, actions } = control;
  const options = Object.entries(control.options()).flatMap(([option, value]) => {
    const isNested = typeof value === "object" && value !== null && !Array.isArray(value);
    const shown = isNested
      ? Object.fromEntries(Object.entries(value).filter(([, each]) => plain(each) !== undefined))
      : plain(value);
    return shown === undefined ? [] : [[option, shown] as const];
  });
  return { name, policy, options: Object.fromEntries(options), actions };
}
