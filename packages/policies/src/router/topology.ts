/**
 * Who is the primary and who can serve reads, from what the monitors find.
 */
import type { Clock, Events, Random, Timer } from "@breakwater/core";
import { Ejection, readmit } from "./ejection.ts";
import { LagWatch, type MaxLag } from "./lag.ts";
import { type Finding, Monitor } from "./monitor.ts";
import type { RouterNode } from "./node.ts";
import type { RouterLimits } from "./options.ts";
import { pauseMs } from "./pauses.ts";
import { chooseReaders } from "./readers.ts";
import { SlowStart } from "./slow-start.ts";

export interface TopologyOptions {
  readonly name: string;
  readonly events: Events;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: RouterLimits;
  readonly zone: string | undefined;
  readonly maxLag: MaxLag;
  /** Called when calls that wait for a node should look again. */
  readonly changed: () => void;
}

/** Silent probes in a row before a node is taken for hung: one may be our own pause. */
const SILENT_PROBES = 2;
/** Least pause before a probe that a failed call asks for, in milliseconds: a hundred failing calls are one reason. */
const SUSPECT_PROBE_MS = 20;
export class Topology {
  /** Replaced, never changed. */
  nodes: readonly RouterNode[] = [];
  /** Nodes that reads go to; replaced, never changed, and the same as long as the nodes are the same. */
  readers: readonly RouterNode[] = [];
  /** The node that writes go to; undefined while there is none. */
  primary: RouterNode | undefined;
  /** Nodes that calls are let in to a few at a time. */
  starting = 0;
  /** Takes replicas out that stand out. */
  readonly ejection: Ejection;
  readonly #options: TopologyOptions;
  readonly #lags: LagWatch;
  readonly #monitors = new Map<RouterNode, Monitor>();
  readonly #forgetting = new Map<RouterNode, () => void>();
  // Taken out, with calls that still run there: they must not be acknowledged by a server that is not the primary any more.
  readonly #leaving = new Set<RouterNode>();
  // The newest history seen: a primary of an older one must not be written to, even when no other is in sight.
  #newestTimeline = 0;
  #started = false;
  #stopped = false;
  #readmission: Timer | undefined;

  constructor(options: TopologyOptions, nodes: readonly RouterNode[]) {
    this.#options = options;
    this.#lags = new LagWatch(options.maxLag);
    const replicas = (): readonly RouterNode[] => this.nodes.filter(({ role }) => role === "replica");
    this.ejection = new Ejection({ ...options, replicas, ejected: () => this.arrange() });
    for (const node of nodes) this.add(node);
  }

  /** Starts the monitors, once: at the first call, so that a stack that is never used opens nothing. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    for (const monitor of this.#monitors.values()) monitor.probe(true);
  }

  add(node: RouterNode): void {
    this.nodes = [...this.nodes, node];
    const monitor = this.#monitor(node);
    this.#monitors.set(node, monitor);
    const lost = node.pool.events.on("connection:lost", () => this.lost(node));
    const forwarding = node.pool.events.forwardTo(this.#options.events);
    this.#forgetting.set(node, () => {
      this.#leaving.delete(node);
      this.#monitors.delete(node);
      this.#forgetting.delete(node);
      monitor.stop();
      node.gate?.close();
      lost();
      forwarding();
    });
    if (this.#started) monitor.probe(true);
    this.arrange();
  }

  /** Takes a node out; what runs there goes on, and is watched. Returns the way to stop hearing of it. */
  remove(node: RouterNode): () => void {
    const wasPrimary = node === this.primary;
    this.nodes = this.nodes.filter((other) => other !== node);
    this.#leaving.add(node);
    node.gate?.close();
    this.arrange();
    if (wasPrimary && this.#started) this.#lookAround();
    return this.#forgetting.get(node) ?? ((): void => undefined);
  }

  /** A call found something wrong with a node: looks at once. */
  suspect(node: RouterNode): void {
    this.#monitors.get(node)?.probe(true);
    // Trouble with the primary may be a failover, which shows at the others.
    if (node === this.primary || this.primary === undefined) this.#lookAround();
  }

  /** Calls run on a node and none ends. Others serve until it has answered, where there are others. */
  quiet(node: RouterNode): void {
    this.#monitors.get(node)?.probe(true);
    if (this.readers.length === 1 || !this.readers.includes(node)) return;
    node.late = true;
    this.arrange();
  }

  /** A connection to a node was lost: no new ones until it has answered a probe, for there would be one per caller. */
  lost(node: RouterNode): void {
    if (this.#stopped || !this.#monitors.has(node)) return;
    if (this.#started) {
      if (node.state !== "down" && node.gate?.begun !== false) this.#gate(node);
      // With each connection others may come to wait for a new one: those who shared it.
      node.pool.interrupt(new Error("connections to the node were lost"), "waiting");
    }
    this.suspect(node);
  }

  /** A call could not connect: the node is down until it answers a probe. */
  unreachable(node: RouterNode, error: unknown): void {
    if (node.state !== "down") {
      this.#monitors.get(node)?.tried();
      node.failedProbes = Math.max(1, node.failedProbes);
      this.#down(node, error, false);
      // They would each find out for themselves.
      node.pool.interrupt(new Error("the node cannot be reached"), "waiting");
    }
    this.suspect(node);
  }

  /** A node refused a write as a standby does: writes wait until it has said what it is. */
  refusedWrite(node: RouterNode): void {
    if (node.role === "primary" && node.state !== "down") {
      node.doubted = true;
      this.arrange();
    }
    this.suspect(node);
  }

  /** Ends every timer and lets nobody wait at a gate; events are still passed on. */
  halt(): void {
    this.#stopped = true;
    this.#readmission?.cancel();
    for (const monitor of this.#monitors.values()) monitor.stop();
    for (const node of this.nodes) node.gate?.close();
  }

  stop(): void {
    this.halt();
    for (const forget of this.#forgetting.values()) forget();
  }

  /** Works out the primary and the readers anew, and wakes those who wait for them. `anew`: they have changed themselves. */
  arrange(anew = false): void {
    const { clock, events, name, zone, changed } = this.#options;
    for (const node of [...this.nodes, ...this.#leaving]) this.#fence(node);
    const { back, nextMs } = readmit(this.nodes, clock.now());
    for (const node of back) {
      this.#gate(node).begin();
      events.emit("router:node-readmitted", { pool: name, node: node.name });
    }
    this.#readmission?.cancel();
    this.#readmission =
      nextMs === Number.POSITIVE_INFINITY || this.#stopped
        ? undefined
        : clock.setTimer(nextMs - clock.now(), () => this.arrange(), true);
    const before = this.primary;
    this.primary = this.nodes
      .filter((node) => node.open && node.role === "primary" && !node.doubted)
      .toSorted((a, b) => (b.observed?.timeline ?? 0) - (a.observed?.timeline ?? 0))[0];
    const readers = chooseReaders(this.nodes, this.primary, zone);
    const same =
      !anew && readers.length === this.readers.length && readers.every((node, at) => node === this.readers[at]);
    if (!same) this.readers = readers;
    if (!same || this.primary !== before) changed();
  }

  #monitor(node: RouterNode): Monitor {
    const { clock, random, limits } = this.#options;
    return new Monitor(node.pool, {
      clock,
      random,
      limits,
      pauseMs: () => pauseMs(node, this.primary, limits.probeIntervalMs, random),
      urgentPauseMs: () =>
        node.state === "down" ? pauseMs(node, this.primary, limits.probeIntervalMs, random) : SUSPECT_PROBE_MS,
      onFinding: (finding) => this.#found(node, finding),
      onLate: () => this.#late(node),
      onStuck: () => this.#stuck(node),
    });
  }

  #found(node: RouterNode, finding: Finding): void {
    node.late = false;
    if (finding.kind === "answered" || finding.kind === "refused") node.doubted = false;
    if (finding.kind === "answered") {
      const { state } = finding;
      this.#newestTimeline = Math.max(this.#newestTimeline, state.timeline ?? 0);
      if (node.role !== state.role) this.#setRole(node, state.role);
      node.observed = state;
      this.#measure(node);
      this.#up(node);
    } else if (finding.kind === "refused") {
      // It refuses us, but it is there: the calls themselves shall hear why.
      this.#up(node);
    } else {
      node.failedProbes += 1;
      const silent = finding.kind === "silent";
      if (!silent || node.failedProbes >= SILENT_PROBES) this.#down(node, finding.error, silent);
    }
    this.arrange();
  }

  #late(node: RouterNode): void {
    if (node.state === "down") return;
    node.late = true;
    if (node === this.primary) this.#lookAround();
    this.arrange();
  }

  /**
   * Reads that wait for a node that does not answer are run elsewhere, where there is another. The first answer of all takes
   * as long as connecting does, which nobody knows yet.
   */
  #stuck(node: RouterNode): void {
    if (node.state === "unknown") return;
    if (this.readers.length > 0 && !this.readers.includes(node))
      node.pool.interrupt(new Error("the node does not answer"), "reads");
  }

  #lookAround(): void {
    for (const monitor of this.#monitors.values()) monitor.probe(true);
  }

  #measure(node: RouterNode): void {
    const { clock, events, name } = this.#options;
    if (!this.#lags.observe(node, node === this.primary, clock.now()) || node.lag === undefined) return;
    const { ms: lagMs, bytes: lagBytes } = node.lag;
    events.emit("router:node-lagging", { pool: name, node: node.name, lagging: node.lagging, lagMs, lagBytes });
  }

  #up(node: RouterNode): void {
    node.failedProbes = 0;
    const wasDown = node.state === "down";
    node.state = "up";
    if (wasDown) {
      this.#gate(node).begin();
      this.#options.events.emit("router:node-up", { pool: this.#options.name, node: node.name });
    } else if (node.gate?.begun === false) node.gate.open();
  }

  #down(node: RouterNode, error: unknown, hung: boolean): void {
    if (node.state !== "down") {
      node.state = "down";
      node.outages += 1;
      node.gate?.close();
      this.#options.events.emit("router:node-down", { pool: this.#options.name, node: node.name, error });
      this.arrange();
    }
    // What runs on a node that does not answer would wait for ever; elsewhere it can go on.
    if (hung) node.pool.interrupt(new Error("the node stopped answering"));
  }

  #gate(node: RouterNode): SlowStart {
    node.gate?.close();
    this.starting += 1;
    const gate = new SlowStart(this.#options.clock, node.pool.stats().max, () => {
      this.starting -= 1;
      if (node.gate === gate) node.gate = undefined;
    });
    node.gate = gate;
    return gate;
  }

  #setRole(node: RouterNode, role: "primary" | "replica"): void {
    const wasPrimary = node.role === "primary" && node.observed !== undefined;
    node.role = role;
    this.#options.events.emit("router:role-changed", { pool: this.#options.name, node: node.name, role });
    if (wasPrimary && role === "replica") node.pool.interrupt(new Error("the node is not the primary any more"));
  }

  #fence(node: RouterNode): void {
    const timeline = node.observed?.timeline;
    const fenced = node.role === "primary" && timeline !== undefined && timeline < this.#newestTimeline;
    if (fenced && !node.fenced) {
      this.#options.events.emit("router:node-fenced", { pool: this.#options.name, node: node.name });
      node.pool.interrupt(new Error("the node is a primary of an older history"));
    }
    node.fenced = fenced;
  }
}
