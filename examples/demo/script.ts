/**
 * What happens to the cluster, phase by phase.
 */
import type { Cluster, ClusterNode } from "@breakwater/chaos";
import { below, type Dice } from "./random.ts";
import type { Addresses } from "./today.ts";

/** What a phase has at hand. */
export interface Stage {
  readonly cluster: Cluster;
  readonly random: Dice;
  /** Tells the audience what was done. */
  readonly say: (what: string) => void;
  /** Waits; rejects when the run is interrupted. */
  readonly pause: (ms: number) => Promise<void>;
  /** Gives the left side new addresses, as somebody on call would do. */
  readonly reconfigureToday: (addresses: Addresses) => Promise<void>;
  /** Resolves when the right side's router sees every node up again, with one primary. */
  readonly routerSeesAll: () => Promise<void>;
}

export interface Phase {
  readonly name: string;
  /** What it does, for the audience. */
  readonly text: string;
  /** How long it lasts at least, in milliseconds. */
  readonly lengthMs: number;
  readonly run: (stage: Stage) => Promise<void>;
}

export const PHASES: readonly Phase[] = [
  { name: "calm", text: "nothing happens", lengthMs: 4_000, run: async () => undefined },
  {
    name: "hung replica",
    text: "a replica stops answering (SIGSTOP), then goes on",
    lengthMs: 7_000,
    run: hungReplica,
  },
  { name: "cut links", text: "all connections of the primary and a replica are cut", lengthMs: 5_000, run: cutLinks },
  {
    name: "lost replies",
    text: "the primary does the work, but its answer is lost",
    lengthMs: 6_000,
    run: lostReplies,
  },
  { name: "failover", text: "the primary is killed (kill -9), a replica promoted", lengthMs: 8_000, run: failover },
  { name: "recovery", text: "the old primary comes back as a replica", lengthMs: 7_000, run: recovery },
];

async function hungReplica({ cluster, random, say, pause }: Stage): Promise<void> {
  const replica = oneOf(cluster.replicas, random);
  replica.hang();
  say(`${replica.name} hangs`);
  try {
    await pause(4_500);
  } finally {
    replica.resume();
  }
  say(`${replica.name} goes on`);
  await cluster.waitForStreaming();
}

async function cutLinks({ cluster, random, say, pause }: Stage): Promise<void> {
  for (let round = 1; round <= 4; round += 1) {
    const replica = oneOf(cluster.replicas, random);
    const cut = cluster.primary.proxy.cutAll() + replica.proxy.cutAll();
    say(`${cut} connections to ${cluster.primary.name} and ${replica.name} cut`);
    await pause(1_000);
  }
}

async function lostReplies({ cluster, random, say, pause }: Stage): Promise<void> {
  const { name, proxy } = cluster.primary;
  using fault = proxy.dropReply({ to: /^\s*(?:INSERT|COMMIT)\b/i, probability: 0.05, random });
  say(`${name}: 1 answer in 20 to INSERT and COMMIT gets lost`);
  await pause(5_000);
  fault.off();
  say(`${name}: ${fault.hits} answers were lost`);
}

async function failover({ cluster, say }: Stage): Promise<void> {
  const old = cluster.primary;
  say(`${old.name} is killed`);
  const started = performance.now();
  const next = await cluster.failover({ kill: "kill" });
  say(`${next.name} is promoted and followed, ${Math.round(performance.now() - started)} ms after the kill`);
}

async function recovery({ cluster, say, reconfigureToday, routerSeesAll }: Stage): Promise<void> {
  const { primary } = cluster;
  const others = cluster.nodes.filter((node) => node !== primary);
  say(`left: somebody changes the addresses; right: nothing to do`);
  const reconfigured = reconfigureToday(addressesOf(primary, others));
  for (const node of others) {
    if (node.state === "running") continue;
    await node.follow(primary);
    say(`${node.name} follows ${primary.name}`);
  }
  await Promise.all([routerSeesAll(), reconfigured]);
}

/** Where a client finds the nodes. */
export function addressesOf(primary: ClusterNode, replicas: readonly ClusterNode[]): Addresses {
  return { primary: primary.connectionString, replicas: replicas.map((node) => node.connectionString) };
}

function oneOf(nodes: readonly ClusterNode[], random: Dice): ClusterNode {
  const node = nodes[below(nodes.length, random)];
  if (node === undefined) throw new Error("the cluster has no replica");
  return node;
}
