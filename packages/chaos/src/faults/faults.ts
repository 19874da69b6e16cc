/**
 * One script for faults on all levels: in the stack (the policy `chaos()`), on the wire and at the servers, all begun, counted,
 * written down and ended the same way.
 */
import { onlyKnown, refusal } from "../check.ts";
import type { Cluster, FailoverOptions, SwitchoverOptions } from "../cluster/cluster.ts";
import type { ClusterNode } from "../cluster/node.ts";
import { stateError } from "../errors.ts";
import type { FaultProxy } from "../proxy/fault-proxy.ts";
import {
  type ActiveFault,
  finished,
  type FaultHand,
  type FaultLevel,
  type FaultRecord,
  ScriptFault,
} from "./active-fault.ts";
import { bringBack, serverFaults, type ServerFaults } from "./server.ts";
import { wireFaults, type WireFaults } from "./wire.ts";

/** Whose nodes are struck, and the clock of the record. */
export interface FaultsOptions {
  /** The cluster whose nodes are struck; needed for faults of the cluster level. @default none */
  readonly cluster?: Cluster;
  /** Clock of the record, in milliseconds; give the history the same one. @default performance.now */
  readonly now?: () => number;
}

/** A policy that injects faults, such as `chaos()` of `@breakwater/policies`. */
export interface PolicyFaults<Options extends object> {
  /** Begins a fault; what is returned counts its strikes and ends it. */
  inject(options: Options): FaultHand;
}

/** Hears that a fault has begun, or ended. */
export type FaultListener = (fault: FaultRecord, what: "began" | "ended") => void;

/** Faults of one test or run. What is on when it is closed is ended then. */
export class Faults implements AsyncDisposable {
  readonly #cluster: Cluster | undefined;
  readonly #now: () => number;
  readonly #all: ScriptFault[] = [];
  /** On, in the order of their beginning. */
  readonly #on = new Set<ScriptFault>();
  /** Servers that are just being struck. */
  readonly #starting = new Set<Promise<unknown>>();
  readonly #listeners = new Set<FaultListener>();
  #closing: Promise<void> | undefined;

  /** @throws RangeError for an unknown option. */
  constructor(options: FaultsOptions = {}) {
    onlyKnown("Faults", options, ["cluster", "now"]);
    const { cluster, now = () => performance.now() } = options;
    if (typeof now !== "function") throw refusal("now", now, "a function");
    this.#cluster = cluster;
    this.#now = now;
  }

  /** Faults between clients and a server, at its proxy. */
  wire(target: ClusterNode | FaultProxy): WireFaults {
    const isNode = "proxy" in target;
    const name = isNode ? target.name : `port ${target.port}`;
    const begin = (what: string, start: () => FaultHand): ActiveFault => this.#begin("wire", what, name, start);
    return wireFaults(isNode ? target.proxy : target, begin);
  }

  /** Faults of one server. */
  server(node: ClusterNode): ServerFaults {
    return serverFaults(node, this.#cluster, (name, start) => this.#beginServer(name, node.name, start));
  }

  /**
   * Takes the primary down and promotes a replica, as `cluster.failover()` does; its `off()` brings the old primary back as a
   * replica, whatever has become of it.
   */
  async failover(options: FailoverOptions = {}): Promise<ActiveFault> {
    const cluster = this.#ownCluster("failover");
    const old = cluster.primary;
    return this.#beginServer("failover", old.name, async () => {
      await cluster.failover(options);
      const off = async (): Promise<void> => {
        if (old.role === "primary" && cluster.primary !== old) await old.follow(cluster.primary);
        else await bringBack(old, cluster);
      };
      return { hits: 1, off };
    });
  }

  /** Swaps roles without losing anything, once. */
  async switchover(options: SwitchoverOptions = {}): Promise<ActiveFault> {
    const cluster = this.#ownCluster("switchover");
    return this.#beginServer("switchover", cluster.primary.name, async () => {
      await cluster.switchover(options);
      return finished(1);
    });
  }

  /** Faults in the stack: what `policy` injects with these options. */
  policy<Options extends object>(policy: PolicyFaults<Options>, options: Options): ActiveFault {
    if (typeof policy?.inject !== "function")
      throw refusal("policy", policy, "a policy with inject(), such as chaos()");
    const { fault, node } = options as { readonly fault?: unknown; readonly node?: string | RegExp };
    const name = typeof fault === "string" ? fault : "inject";
    return this.#begin("policy", name, node === undefined ? "policy" : String(node), () => policy.inject(options));
  }

  /** All faults so far, in the order of their beginning. */
  record(): readonly FaultRecord[] {
    return this.#all.map((fault) => fault.snapshot()).toSorted((a, b) => a.beganMs - b.beganMs);
  }

  /** Hears of every fault that begins or ends. @returns what ends that. */
  onChange(listener: FaultListener): () => void {
    if (typeof listener !== "function") throw refusal("listener", listener, "a function");
    const own: FaultListener = (fault, what) => listener(fault, what);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /**
   * Ends all faults that are on, the newest first, and waits for those that are just beginning.
   *
   * @throws what the first one that could not be ended throws, when all have been tried.
   */
  async off(): Promise<void> {
    await Promise.allSettled(this.#starting);
    const errors: unknown[] = [];
    for (const fault of [...this.#on].toReversed()) await fault.off().catch((error: unknown) => errors.push(error));
    if (errors.length > 0) throw errors[0];
  }

  /** Ends all faults; no other can begin. Idempotent. To be closed before its cluster. */
  close(): Promise<void> {
    this.#closing ??= this.off();
    return this.#closing;
  }

  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #begin(level: FaultLevel, name: string, target: string, start: () => FaultHand): ActiveFault {
    this.#open();
    const beganMs = this.#now();
    return this.#add(
      new ScriptFault({ level, name, target, beganMs }, start(), this.#now, (fault) => this.#over(fault)),
    );
  }

  async #beginServer(name: string, target: string, start: () => Promise<FaultHand>): Promise<ActiveFault> {
    this.#open();
    const beganMs = this.#now();
    const starting = start().then((hand) =>
      this.#add(
        new ScriptFault({ level: "cluster", name, target, beganMs }, hand, this.#now, (one) => this.#over(one)),
      ),
    );
    this.#starting.add(starting);
    try {
      return await starting;
    } finally {
      this.#starting.delete(starting);
    }
  }

  #add(fault: ScriptFault): ScriptFault {
    this.#all.push(fault);
    this.#on.add(fault);
    this.#tell(fault, "began");
    fault.settle();
    return fault;
  }

  #over(fault: ScriptFault): void {
    this.#on.delete(fault);
    this.#tell(fault, "ended");
  }

  #tell(fault: ScriptFault, what: "began" | "ended"): void {
    if (this.#listeners.size === 0) return;
    const told = fault.snapshot();
    for (const listener of this.#listeners) listener(told, what);
  }

  #ownCluster(what: string): Cluster {
    if (this.#cluster === undefined) throw stateError(`${what}: the script was not given a cluster`);
    return this.#cluster;
  }

  #open(): void {
    if (this.#closing !== undefined) throw stateError("the faults are closed");
  }
}
