/**
 * The kinds of fault that rounds are made of.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Cluster, ClusterNode } from "@breakwater/chaos";
import type { Random } from "@breakwater/core";
import type { Fault } from "./rounds.ts";
import { until } from "./wait.ts";

/** The primary crashes and comes back. */
export const crash: Fault = {
  name: "kill -9 of the primary, and its restart",
  cluster: { replicas: 0 },
  async strike({ primary }) {
    await primary.kill();
    await primary.start();
  },
};

/** One server process is killed, which makes the server end all sessions and recover. */
export const backendCrash: Fault = {
  name: "kill -9 of a random backend",
  cluster: { replicas: 0 },
  async strike({ primary }, random) {
    const rows = await primary.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'breakwater-test' AND backend_type = 'client backend'",
    );
    const victim = rows[Math.floor(random() * rows.length)];
    if (victim === undefined) throw new Error("nobody is connected");
    await primary.killBackend(victim.pid);
    await primary.waitUntilReady();
  },
};

const failedOver = new WeakMap<Cluster, ClusterNode>();

async function failOver(cluster: Cluster): Promise<void> {
  failedOver.set(cluster, cluster.primary);
  await cluster.failover();
}

async function rejoin(cluster: Cluster): Promise<void> {
  await failedOver.get(cluster)?.follow(cluster.primary);
  await cluster.waitForStreaming();
}

/** The primary crashes for good; a replica that has everything takes over. */
export const synchronousFailover: Fault = {
  name: "failover with synchronous replicas",
  cluster: { replicas: 2, synchronous: true },
  strike: failOver,
  mend: rejoin,
};

/** The primary crashes for good; what it had not yet sent is lost with it. */
export const asynchronousFailover: Fault = {
  name: "failover with asynchronous replicas",
  cluster: { replicas: 2 },
  strike: failOver,
  /** Only what the old primary has, and never sent, may be gone. */
  async explain(cluster, lost) {
    const old = failedOver.get(cluster);
    if (old === undefined || lost.length === 0) return [];
    await old.start();
    await until("the old primary to answer", () => old.query("SELECT 1").then(() => true));
    const rows = await old.query<{ id: string }>("SELECT DISTINCT id FROM log WHERE id = ANY ($1)", [lost]);
    await old.kill();
    return rows.map(({ id }) => id);
  },
  mend: rejoin,
};

const WRITES = /^(commit|begin|insert|update|with)/i;

/** Everything that one server can do to its clients, and what the network can. */
const TROUBLES: readonly ((node: ClusterNode, random: Random) => unknown)[] = [
  ({ proxy }) => proxy.cutAll(),
  ({ proxy }) => proxy.cutBefore({ to: /^commit/i, times: 3 }),
  ({ proxy }) => proxy.cutBefore({ to: WRITES, times: 5 }),
  ({ proxy }) => proxy.dropReply({ to: WRITES, times: 5, wait: "none" }),
  ({ proxy }) => proxy.dropReply({ to: /pg_xact_status|breakwater_ledger/, times: 5 }),
  ({ proxy }) => proxy.inject({ to: /^commit/i, times: 3, sqlstate: "40001" }),
  ({ proxy }) => proxy.inject({ to: WRITES, times: 3, sqlstate: "57P01", severity: "FATAL" }),
  ({ proxy }) => proxy.inject({ to: /pg_xact_status/, times: 3, sqlstate: "XX000" }),
  async ({ proxy }, random) => {
    const direction = random() < 0.5 ? "toServer" : "toClient";
    proxy.freeze(direction);
    await delay(300 * random());
    proxy.thaw(direction);
  },
  async (node, random) => {
    node.hang();
    await delay(300 * random());
    node.resume();
  },
  async (node) => {
    await node.kill();
    await node.start();
  },
  async (node) => {
    await node.stop("immediate");
    await node.start();
  },
  (node) => node.restart(),
  (node, random) => backendCrash.strike({ primary: node } as Cluster, random).catch(() => undefined),
  (node) =>
    node.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'breakwater-test'"),
  (node) => node.query("SELECT pg_stat_reset_shared('bgwriter')"),
];

/** Several troubles one after another, as the dice have it. */
export const anything: Fault = {
  name: "whatever can happen to one server",
  cluster: { replicas: 0 },
  async strike({ primary }, random) {
    for (let trouble = 0; trouble < 3; trouble++) {
      await TROUBLES[Math.floor(random() * TROUBLES.length)]?.(primary, random);
    }
    await primary.waitUntilReady();
  },
};
