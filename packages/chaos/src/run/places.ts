/** Which nodes a scenario means, and what the service's name stands for. */
import type { Cluster } from "../cluster/cluster.ts";
import type { ClusterNode } from "../cluster/node.ts";
import { stateError } from "../errors.ts";
import { type Dice, pick } from "./dice.ts";
import type { SubjectService } from "./subject.ts";

/** Name of the service in every scenario that has one; `.test` is reserved (RFC 2606). */
const SERVICE = "_postgresql._tcp.chaos.test";

/** Who is who in a cluster whose roles change. */
export class Places {
  readonly #cluster: Cluster;
  #primary: ClusterNode;
  #old: ClusterNode | undefined;
  #named: readonly ClusterNode[] | undefined;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#primary = cluster.primary;
  }

  /** Notices that another node is the primary. */
  look(): void {
    const { primary } = this.#cluster;
    if (primary === this.#primary) return;
    this.#old = this.#primary;
    this.#primary = primary;
  }

  /** @throws ChaosError when there is no such node now. */
  nodes(target: string, random: Dice): readonly ClusterNode[] {
    this.look();
    const { primary, replicas, nodes } = this.#cluster;
    if (target === "primary") return [primary];
    if (target === "all") return nodes;
    if (target === "replicas") return some(replicas, target);
    if (target === "replica") {
      const chosen = pick(
        replicas.filter(({ state }) => state === "running"),
        random,
      );
      return some(chosen === undefined ? [] : [chosen], target);
    }
    if (target === "old-primary") return some(this.#old === undefined ? [] : [this.#old], target);
    return [this.#cluster.node(target)];
  }

  /** Lets the name stand for nodes; it stands for none before. */
  name(nodes: readonly ClusterNode[]): void {
    this.#named = nodes;
  }

  /** Where a floating address leads now: the first node of the name, else the primary. */
  get port(): number {
    return (this.#named?.[0] ?? this.#cluster.primary).port;
  }

  get service(): SubjectService | undefined {
    if (this.#named === undefined) return undefined;
    const named = (name: string): readonly ClusterNode[] => {
      if (name === SERVICE) return this.#named ?? [];
      throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: "ENOTFOUND" });
    };
    return {
      name: SERVICE,
      resolver: {
        lookup: async (name) => named(name).map(() => ({ address: "127.0.0.1", family: 4 })),
        resolveSrv: async (name) =>
          named(name).map(({ port }) => ({ name: "127.0.0.1", port, weight: 1, priority: 0 })),
      },
    };
  }
}

function some(nodes: readonly ClusterNode[], target: string): readonly ClusterNode[] {
  if (nodes.length === 0) throw stateError(`there is no ${target} now`);
  return nodes;
}
