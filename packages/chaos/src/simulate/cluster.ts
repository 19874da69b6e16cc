/**
 * The servers together: who replicates from whom, and who is promoted when the primary is gone.
 */
import type { Random } from "@breakwater/core";
import { dice, spread } from "./dice.ts";
import type { Fault } from "./faults.ts";
import { type NodeHome, type NodeSettings, SimulatedNode } from "./node.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** How the servers stand to each other. */
export interface ClusterSettings extends NodeSettings {
  readonly replicas: number;
  readonly synchronous: boolean;
  /** How long a primary is gone before a replica is promoted, in milliseconds; Infinity for never. */
  readonly failoverAfterMs: number;
}

/** Pause before a promotion that was not possible is tried again, in milliseconds. */
const AGAIN_MS = 100;

/** What happens in the cluster, for the trace. */
export type ClusterListener = (what: string, node: SimulatedNode) => void;

export class SimulatedCluster implements NodeHome {
  readonly nodes: readonly SimulatedNode[];
  readonly synchronous: boolean;
  primary: SimulatedNode;
  /** How often a replica has been promoted. */
  promotions = 0;
  readonly #settings: ClusterSettings;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #tell: ClusterListener;
  readonly #sending = new Set<SimulatedNode>();
  readonly #replaying = new Set<SimulatedNode>();
  #acknowledged = 0;

  constructor(settings: ClusterSettings, clock: VirtualClock, seed: number, tell: ClusterListener) {
    this.#settings = settings;
    this.#clock = clock;
    this.#tell = tell;
    this.#random = dice(seed, "replication");
    this.synchronous = settings.synchronous && settings.replicas > 0;
    this.nodes = Array.from(
      { length: settings.replicas + 1 },
      (_, index) => new SimulatedNode(`n${index + 1}`, settings, clock, dice(seed, `n${index + 1}`), this),
    );
    this.primary = this.nodes[0] as SimulatedNode;
    this.primary.role = "primary";
    for (const node of this.nodes.slice(1)) node.follow(this.primary);
  }

  acknowledged(position: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, position);
  }

  wrote(node: SimulatedNode): void {
    for (const follower of this.nodes) if (follower.follows === node) this.#send(follower);
  }

  /** The nodes that a fault means now. */
  targets({ target }: Fault): readonly SimulatedNode[] {
    if (target === "all") return this.nodes;
    return target === "primary" ? [this.primary] : this.nodes.filter(({ name }) => name === target);
  }

  /** The server is gone; somebody else takes over if it stays so. */
  crash(node: SimulatedNode): void {
    if (node.state === "down") return;
    node.stop();
    this.#tell("down", node);
    const { failoverAfterMs } = this.#settings;
    const { starts } = node;
    if (node !== this.primary || failoverAfterMs === Number.POSITIVE_INFINITY) return;
    const takeOver = (): void => {
      if (this.primary !== node || node.state !== "down" || node.starts !== starts) return;
      if (this.promote()) return;
      this.#clock.setTimer(AGAIN_MS, takeOver);
    };
    this.#clock.setTimer(failoverAfterMs, takeOver);
  }

  /** The server starts again. */
  start(node: SimulatedNode): void {
    if (node.state !== "down") return;
    node.state = "starting";
    const { starts } = node;
    this.#clock.setTimer(this.#settings.startMs, () => {
      if (node.state !== "starting" || node.starts !== starts) return;
      node.start();
      if (node !== this.primary && node.role === "primary") node.clone(this.primary);
      this.#tell("up", node);
      this.poke();
    });
  }

  /**
   * Makes the replica primary that has received most. False when none is there, or none has everything that was
   * acknowledged where that is promised.
   */
  promote(): boolean {
    const old = this.primary;
    const [best] = this.nodes
      .filter((node) => node !== old && node.state === "up" && node.role === "replica" && !node.suffers("hang"))
      .toSorted((a, b) => b.written - a.written);
    if (best === undefined || (this.synchronous && best.written < this.#acknowledged)) return false;
    best.promote(Math.max(...this.nodes.map(({ timeline }) => timeline)) + 1);
    this.primary = best;
    this.promotions += 1;
    this.#acknowledged = best.written;
    this.#tell("promoted", best);
    for (const node of this.nodes) {
      // Who was primary once may have written what nobody else has: it copies everything when it comes back.
      if (node === best || node.role === "primary") continue;
      if (node.written > best.written) node.clone(best);
      else node.follow(best);
    }
    this.poke();
    return true;
  }

  /** An old primary is told that it is none: its connections end, it follows the new one. */
  demote(node: SimulatedNode): void {
    if (node === this.primary || node.role === "replica") return;
    node.stop();
    this.#tell("down", node);
    this.start(node);
  }

  /** Something that stood in the way of replication is over. */
  poke(): void {
    for (const node of this.nodes) {
      if (node.follows !== undefined) this.#send(node);
      this.#replay(node);
    }
  }

  #send(follower: SimulatedNode): void {
    if (this.#sending.has(follower)) return;
    this.#sending.add(follower);
    this.#clock.setTimer(spread(this.#random, this.#settings.latencyMs), () => {
      this.#sending.delete(follower);
      this.#deliver(follower);
    });
  }

  #deliver(follower: SimulatedNode): void {
    const from = follower.follows;
    if (from === undefined || follower.state !== "up" || from.state !== "up") return;
    if (follower.suffers("hang", "detach") || from.suffers("hang", "detach")) return;
    const [oldest] = from.log;
    if (follower.written < (oldest?.position ?? 1) - 1) follower.clone(from);
    else {
      let at = from.log.length;
      while (at > 0 && (from.log[at - 1]?.position ?? 0) > follower.written) at -= 1;
      for (const entry of from.log.slice(at)) follower.keep(entry);
    }
    this.#replay(follower);
    from.confirmed(follower.written);
  }

  #replay(node: SimulatedNode): void {
    if (node.role === "primary" || node.tables.position >= node.written || this.#replaying.has(node)) return;
    this.#replaying.add(node);
    this.#clock.setTimer(spread(this.#random, this.#settings.replayMs), () => {
      this.#replaying.delete(node);
      if (node.role === "replica" && node.state === "up" && !node.suffers("lag", "hang")) node.replay();
    });
  }
}
