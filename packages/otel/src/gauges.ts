/**
 * What a stack is at the moment of a collection, out of its statistics.
 */
import {
  type NodeStanding,
  type NodeStats,
  type PolicyStats,
  type Pool,
  type PoolStats,
  routersStanding,
} from "@breakwater/core";
import type { BatchObservableResult, Meter, Observable } from "@opentelemetry/api";
import { ATTRIBUTE } from "./attributes.ts";

/** Most nodes that are told. */
const MAX_NODES = 200;

/** Tells how a stack is, at each collection, until the returned function is called. */
export function watchStats(pool: Pool, meter: Meter): () => void {
  const gauges = new Gauges(meter);
  const observe = (result: BatchObservableResult): void => gauges.observe(result, pool.stats());
  meter.addBatchObservableCallback(observe, gauges.all);
  return () => meter.removeBatchObservableCallback(observe, gauges.all);
}

const CIRCUITS = ["closed", "open", "half-open", "isolated"];

class Gauges {
  readonly all: Observable[] = [];
  readonly #meter: Meter;
  readonly #count: Observable;
  readonly #max: Observable;
  readonly #idleMax: Observable;
  readonly #pending: Observable;
  readonly #calls: Observable;
  readonly #failed: Observable;
  readonly #nodes: Observable;
  readonly #lag: Observable;
  readonly #lagBytes: Observable;
  readonly #circuit: Observable;
  readonly #budget: Observable;
  readonly #waiting: Observable;
  readonly #permits: Observable;

  constructor(meter: Meter) {
    this.#meter = meter;
    const upDown = "createObservableUpDownCounter";
    const gauge = "createObservableGauge";
    const counter = "createObservableCounter";
    this.#count = this.#make(upDown, "db.client.connection.count", "{connection}", "Connections, by their state.");
    this.#max = this.#make(upDown, "db.client.connection.max", "{connection}", "Most connections.");
    this.#idleMax = this.#make(upDown, "db.client.connection.idle.max", "{connection}", "Most connections kept idle.");
    this.#pending = this.#make(
      upDown,
      "db.client.connection.pending_requests",
      "{request}",
      "Calls that wait for one.",
    );
    this.#calls = this.#make(counter, "breakwater.node.calls", "{call}", "Attempts that ended on a node.");
    this.#failed = this.#make(counter, "breakwater.node.failures", "{call}", "Attempts of these that were rejected.");
    this.#nodes = this.#make(gauge, "breakwater.node.status", "1", "1 for a node's role and state.");
    this.#lag = this.#make(gauge, "breakwater.replica.lag", "s", "How far a replica is behind, in time.");
    this.#lagBytes = this.#make(gauge, "breakwater.replica.lag_size", "By", "How far a replica is behind, in log.");
    this.#circuit = this.#make(gauge, "breakwater.circuit_breaker.state", "1", "1 for the state of a circuit, else 0.");
    this.#budget = this.#make(gauge, "breakwater.retry.budget", "{attempt}", "Retries that would be allowed now.");
    this.#waiting = this.#make(gauge, "breakwater.router.waiting", "{call}", "Calls that wait for a node.");
    this.#permits = this.#make(gauge, "breakwater.limiter.calls", "{call}", "Calls that run and wait in a limiter.");
  }

  observe(result: BatchObservableResult, stats: PoolStats): void {
    const { name, nodes, policies } = stats;
    this.#policies(result, name, policies);
    if (nodes.length === 0) {
      this.#connections(result, name, stats);
      return;
    }
    const { nodes: standing, waitingForNode } = routersStanding(stats);
    if (waitingForNode !== undefined) result.observe(this.#waiting, waitingForNode, { [ATTRIBUTE.stack]: name });
    for (const node of nodes.slice(0, MAX_NODES)) {
      this.#node(result, node, standing.get(node.name) ?? {});
      this.#connections(result, node.name, node.pool);
      this.#policies(result, node.name, node.pool.policies);
    }
  }

  #connections(result: BatchObservableResult, name: string, { total, idle, waiting, max, metrics }: PoolStats): void {
    const of = { [ATTRIBUTE.pool]: name };
    result.observe(this.#count, idle, { ...of, [ATTRIBUTE.state]: "idle" });
    result.observe(this.#count, Math.max(0, total - idle), { ...of, [ATTRIBUTE.state]: "used" });
    result.observe(this.#max, max, of);
    result.observe(this.#idleMax, max, of);
    result.observe(this.#pending, waiting, of);
    result.observe(this.#calls, metrics.calls, { [ATTRIBUTE.node]: name });
    result.observe(this.#failed, metrics.failed, { [ATTRIBUTE.node]: name });
  }

  #node(result: BatchObservableResult, { name, role, state }: NodeStats, { lagMs, lagBytes }: NodeStanding): void {
    const of = { [ATTRIBUTE.node]: name };
    result.observe(this.#nodes, 1, { ...of, [ATTRIBUTE.role]: role, [ATTRIBUTE.nodeState]: state });
    if (lagMs !== undefined) result.observe(this.#lag, lagMs / 1_000, of);
    if (lagBytes !== undefined) result.observe(this.#lagBytes, lagBytes, of);
  }

  #policies(result: BatchObservableResult, name: string, policies: readonly PolicyStats[]): void {
    for (const { policy, ...counters } of policies) {
      const of = { [ATTRIBUTE.pool]: name, [ATTRIBUTE.policy]: policy };
      const left = (counters["budget"] as { readonly left?: number } | undefined)?.left;
      if (left !== undefined) result.observe(this.#budget, left, of);
      if (policy === "circuit-breaker") {
        for (const state of CIRCUITS) {
          const value = counters["state"] === state ? 1 : 0;
          result.observe(this.#circuit, value, { [ATTRIBUTE.pool]: name, [ATTRIBUTE.circuit]: state });
        }
      }
      for (const state of ["running", "waiting"] as const) {
        const value = counters[state];
        if (policy !== "retry" && typeof value === "number")
          result.observe(this.#permits, value, { ...of, [ATTRIBUTE.state]: state });
      }
    }
  }

  #make(
    kind: "createObservableUpDownCounter" | "createObservableGauge" | "createObservableCounter",
    name: string,
    unit: string,
    description: string,
  ): Observable {
    const made = this.#meter[kind](name, { unit, description });
    this.all.push(made);
    return made;
  }
}
