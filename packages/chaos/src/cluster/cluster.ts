/** A primary and its replicas, and what is done to them together. */
import { booleanOf, onlyKnown, oneOf } from "../check.ts";
import { ChaosError, stateError } from "../errors.ts";
import type { FaultProxy } from "../proxy/fault-proxy.ts";
import { type ProxyOptions, startProxy } from "../proxy/proxy.ts";
import { defaultLimitMs } from "../wait.ts";
import { localProvider } from "./local/local-provider.ts";
import { ManagedNode, type NodeGroup } from "./managed-node.ts";
import type { ClusterNode } from "./node.ts";
import { type CheckedOptions, checkClusterOptions, type ClusterOptions } from "./options.ts";
import type { AdminAccess, Provider } from "./provider.ts";

export interface FailoverOptions {
  /**
   * What happens to the present primary: `kill` (SIGKILL), `immediate` (stopped without a checkpoint), `hang` (it still
   * believes to be the primary when it is resumed), `none` (it goes on beside the new one). @default "kill"
   */
  readonly kill?: "kill" | "immediate" | "hang" | "none";
  /** Running replica to promote. @default the one that received most */
  readonly to?: ClusterNode;
}

export interface SwitchoverOptions {
  /** Running replica to promote. @default the one that received most */
  readonly to?: ClusterNode;
}

/** A real PostgreSQL cluster on the loopback interface. */
export interface Cluster extends AsyncDisposable {
  /** All nodes, in a fixed order. */
  readonly nodes: readonly ClusterNode[];
  /** The node that was promoted last, or the first one; after a split there may be an older primary that still runs. */
  readonly primary: ClusterNode;
  /** Nodes that follow, running or not; an old primary counts again after its `follow()` or `reclone()`. */
  readonly replicas: readonly ClusterNode[];
  /** Whether commits wait for a replica. */
  readonly synchronous: boolean;
  /** @throws RangeError when there is no node of that name. */
  node(name: string): ClusterNode;
  /** Makes commits wait for any one of the present replicas, or for none; resolves when the primary does so. */
  setSynchronous(on: boolean): Promise<void>;
  /**
   * Takes the primary down, promotes a replica and points the others at it, which are cloned again where they do not stream
   * after 4 seconds. The old primary is left as it is: `follow()` brings it back.
   *
   * @returns the new primary, which takes writes.
   */
  failover(options?: FailoverOptions): Promise<ClusterNode>;
  /** Swaps roles without losing anything: the old primary stops cleanly and comes back as a replica. */
  switchover(options?: SwitchoverOptions): Promise<ClusterNode>;
  /** Resolves when every running replica streams from the node that it follows. */
  waitForStreaming(limitMs?: number): Promise<void>;
  /** Ends all servers and proxies and removes their files. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts a primary and streaming replicas, each behind a {@link FaultProxy}; resolves when all replicas stream.
 *
 * @throws RangeError for an unknown option or a bad value; ChaosError when the servers cannot be started, in which case nothing
 * is left running.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const checked = checkClusterOptions(options);
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(checked);
    } catch (error) {
      // Somebody else took the port between the look and the start.
      const taken = error instanceof ChaosError && error.message.includes("Address already in use");
      if (!taken || attempt === 3) throw error;
    }
  }
}

async function startOnce(options: CheckedOptions): Promise<Cluster> {
  const provider = await (options.provider ?? localProvider)(options);
  const proxies: FaultProxy[] = [];
  try {
    for (const host of provider.hosts) proxies.push(await startProxy(behind(host.access)));
    const cluster = new ManagedCluster(provider, proxies, options.synchronous);
    await cluster.begin();
    return cluster;
  } catch (error) {
    await Promise.all([...proxies.map((proxy) => proxy.close()), provider.close()]);
    throw error;
  }
}

function behind({ host, port }: AdminAccess): ProxyOptions {
  return host === undefined ? { target: port } : { target: port, targetHost: host };
}

class ManagedCluster implements Cluster, NodeGroup {
  readonly nodes: readonly ManagedNode[];
  readonly #provider: Provider;
  #primary: ManagedNode;
  #synchronous: boolean;
  #closed: Promise<void> | undefined;

  constructor(provider: Provider, proxies: readonly FaultProxy[], synchronous: boolean) {
    this.#provider = provider;
    this.#synchronous = synchronous;
    const nodes: ManagedNode[] = [];
    for (const [at, host] of provider.hosts.entries()) {
      const proxy = proxies[at];
      if (proxy !== undefined) nodes.push(new ManagedNode(host, proxy, this, nodes[0]));
    }
    const [first] = nodes;
    if (first === undefined) throw stateError("a cluster needs at least one node");
    this.nodes = nodes;
    this.#primary = first;
  }

  get primary(): ManagedNode {
    return this.#primary;
  }
  get replicas(): readonly ManagedNode[] {
    return this.nodes.filter((node) => node.role === "replica");
  }
  get synchronous(): boolean {
    return this.#synchronous;
  }
  get standing(): boolean {
    return this.#provider.standing === true;
  }

  async begin(): Promise<void> {
    if (this.standing) {
      await Promise.all(this.nodes.map((node) => node.waitUntilReady()));
      return;
    }
    this.#primary.configure();
    for (const replica of this.replicas) replica.prepareStandby();
    await Promise.all(this.nodes.map((node) => node.start()));
    await this.waitForStreaming();
  }

  node(name: string): ManagedNode {
    const found = this.nodes.find((one) => one.name === name);
    if (found === undefined) {
      throw new RangeError(`node must be one of ${this.nodes.map((one) => one.name).join(", ")}, got ${name}`);
    }
    return found;
  }

  async setSynchronous(on: boolean): Promise<void> {
    this.#open();
    if (this.standing) throw stateError("setSynchronous: the servers are configured by their owner");
    this.#synchronous = booleanOf("on", on);
    await this.#primary.applyStandbys();
  }

  async failover(options: FailoverOptions = {}): Promise<ClusterNode> {
    this.#open();
    onlyKnown("failover", options, ["kill", "to"]);
    const kill = oneOf("kill", options.kill ?? "kill", ["kill", "immediate", "hang", "none"]);
    const old = this.#primary;
    if (this.standing) throw stateError("failover: the servers are somebody else's; promote() one of them instead");
    this.#candidates(options.to);
    if (kill === "kill") await old.kill();
    else if (kill === "immediate") await old.stop("immediate");
    else if (kill === "hang" && old.state === "running") old.hang();
    return this.#handOver(await this.#mostAdvanced(this.#candidates(options.to)));
  }

  async switchover(options: SwitchoverOptions = {}): Promise<ClusterNode> {
    this.#open();
    onlyKnown("switchover", options, ["to"]);
    const old = this.#primary;
    if (this.standing) throw stateError("switchover: the servers are somebody else's");
    const hung = this.nodes.find((node) => node.state === "hung");
    // A primary that stops waits until all who are connected have received everything.
    if (hung !== undefined) throw stateError(`switchover: ${hung.name} is hung, so that ${old.name} could not stop`);
    const next = await this.#mostAdvanced(this.#candidates(options.to));
    await next.waitForStreaming(defaultLimitMs);
    await old.stop("fast");
    await this.#handOver(next);
    await old.follow(next);
    return next;
  }

  async waitForStreaming(limitMs: number = defaultLimitMs): Promise<void> {
    const running = this.replicas.filter((node) => node.state === "running");
    await Promise.all(running.map((node) => node.waitForStreaming(limitMs)));
  }

  close(): Promise<void> {
    this.#closed ??= Promise.all([...this.nodes.map((node) => node.proxy.close()), this.#provider.close()]).then(
      () => {},
    );
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  standbysOf(node: ManagedNode): string {
    const names = this.replicas.filter((one) => one !== node).map((one) => one.name);
    if (!this.#synchronous || node.role !== "primary" || names.length === 0) return "";
    return `ANY 1 (${names.join(", ")})`;
  }

  promoted(node: ManagedNode): void {
    this.#primary = node;
  }

  async joined(): Promise<void> {
    if (this.#synchronous) await this.#primary.applyStandbys();
  }

  own(node: ClusterNode): ManagedNode {
    const found = this.nodes.find((one) => one === node);
    if (found === undefined) throw new RangeError(`${node.name} is not a node of this cluster`);
    return found;
  }

  /** Promotes and points the others at the new primary before anything is awaited that needs a commit. */
  async #handOver(next: ManagedNode): Promise<ManagedNode> {
    await next.promote();
    const others = this.replicas;
    for (const node of others) node.repoint(next);
    await Promise.all(others.filter((node) => node.state === "running").map((node) => node.follow(next)));
    return next;
  }

  #candidates(to: ClusterNode | undefined): ManagedNode[] {
    const all = to === undefined ? this.replicas : [this.own(to)];
    const usable = all.filter((node) => node.role === "replica" && node.state === "running");
    if (usable.length === 0) {
      throw stateError(
        `${to === undefined ? "no node is a" : `${to.name} is no`} running replica that could be promoted`,
      );
    }
    return usable;
  }

  async #mostAdvanced(nodes: readonly ManagedNode[]): Promise<ManagedNode> {
    const received = await Promise.all(
      nodes.map(async (node) => {
        const [row] = await node.query<{ lsn: string }>(
          "SELECT pg_wal_lsn_diff(GREATEST(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0')::text AS lsn",
        );
        return { node, lsn: BigInt(row?.lsn ?? 0) };
      }),
    );
    const best = received.reduce((most, one) => (one.lsn > most.lsn ? one : most));
    return best.node;
  }

  #open(): void {
    if (this.#closed !== undefined) throw stateError("the cluster is closed");
  }
}
