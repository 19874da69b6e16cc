/**
 * Where calls wait: for a node that can serve them, or for their turn at one that has just come back.
 */
import { type Clock, NoHealthyNodeError } from "@breakwater/core";
import { needsPrimary } from "./chooser.ts";
import type { RouterLimits } from "./options.ts";
import type { Route } from "./route.ts";
import type { SlowStart } from "./slow-start.ts";
import type { Topology } from "./topology.ts";
import { WaitingRoom } from "./waiting-room.ts";

export interface NodeWaitOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly limits: RouterLimits;
}

export class NodeWait {
  readonly #options: NodeWaitOptions;
  readonly #topology: () => Topology;
  readonly #room: WaitingRoom;

  constructor(options: NodeWaitOptions, topology: () => Topology) {
    this.#options = options;
    this.#topology = topology;
    this.#room = new WaitingRoom(options.clock);
  }

  /** How many wait, at gates too. */
  get size(): number {
    return this.#room.size + this.#atGates;
  }

  /** Waits for a turn at a node that is being tried. False when another has to be chosen. */
  enter(gate: SlowStart, route: Route<unknown>): Promise<boolean> {
    const { clock, limits } = this.#options;
    const onLimit = (): Error => this.#waitedOut(route);
    if (this.size >= limits.maxWaiting) throw onLimit();
    const { signal, trace } = route.wanted.operation;
    const entering = gate.enter({ clock, limit: route.waitUntil, signal, onLimit });
    return trace === undefined ? entering : entering.finally(trace.wait("router", "node"));
  }

  /** Waits for the next change. @throws NoHealthyNodeError when it has waited too long, or too many wait. */
  async change(route: Route<unknown>): Promise<void> {
    const { clock, limits } = this.#options;
    const waitedOut = (): Error => this.#waitedOut(route);
    if (this.#room.size >= limits.maxWaiting || route.waitUntil <= clock.now()) throw waitedOut();
    const { signal, trace } = route.wanted.operation;
    trace?.note("router", "no node can serve it now", { nodes: this.#states() });
    const ended = trace?.wait("router", "node");
    try {
      await this.#room.change(route.waitUntil, signal, waitedOut);
    } finally {
      ended?.();
    }
  }

  /** Something changed: everybody looks again. */
  wake(): void {
    this.#room.wake();
  }

  refuseAll(error: Error): void {
    this.#room.refuseAll(error);
  }

  get #atGates(): number {
    const { starting, nodes } = this.#topology();
    return starting === 0 ? 0 : nodes.reduce((sum, { gate }) => sum + (gate?.waiting ?? 0), 0);
  }

  #waitedOut({ wanted: { operation }, last }: Route<unknown>): Error {
    const wanted = needsPrimary(operation) ? "primary" : "any node";
    return new NoHealthyNodeError(this.#options.name, wanted, this.#states(), last);
  }

  #states(): string {
    const { nodes } = this.#topology();
    return nodes.map(({ name, state }) => `${name} ${state}`).join(", ");
  }
}
