/**
 * Who is the primary and who can serve reads, from what the monitors find.
 */
import type { Clock, Events, Pool, Random } from "@breakwater/core";
import { type Finding, Monitor } from "./monitor.ts";
import { RouterNode } from "./node.ts";

export interface TopologyOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly probeIntervalMs: number;
  readonly probeTimeoutMs: number;
}

/** Silent probes in a row before a node is taken for hung: one may be our own pause. */
const SILENT_PROBES = 2;
/** Pause between probes of a node that is down, in milliseconds: at most two connection attempts a second. */
const DOWN_PROBE_MS = 500;
/** The first such pause: a crashed server is often back at once. */
const FIRST_DOWN_PROBE_MS = 200;
/** Least pause before a probe that a failed call asks for, in milliseconds: a hundred failing calls are one reason. */
const SUSPECT_PROBE_MS = 20;
/** Pause between probes of nodes that answer while there is no primary, in milliseconds. They cost no new connection. */
const NO_PRIMARY_PROBE_MS = 100;

export class Topology {
  readonly nodes: readonly RouterNode[];
  /** Nodes that reads rotate over; replaced, never changed. */
  readers: readonly RouterNode[] = [];
  /** The node that writes go to; undefined while there is none. */
  primary: RouterNode | undefined;
  readonly #options: TopologyOptions;
  readonly #events: Events;
  readonly #name: string;
  readonly #changed: () => void;
  readonly #monitors: ReadonlyMap<RouterNode, Monitor>;
  // The newest history seen: a primary of an older one must not be written to, even when no other is in sight.
  #newestTimeline = 0;
  #started = false;

  constructor(
    name: string,
    primary: Pool,
    replicas: readonly Pool[],
    options: TopologyOptions,
    events: Events,
    changed: () => void,
  ) {
    this.#name = name;
    this.#options = options;
    this.#events = events;
    this.#changed = changed;
    this.nodes = [new RouterNode(primary, "primary"), ...replicas.map((pool) => new RouterNode(pool, "replica"))];
    this.#monitors = new Map(this.nodes.map((node) => [node, this.#monitor(node)]));
    this.#sort();
  }

  /** Starts the monitors, once: at the first call, so that a stack that is never used opens nothing. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    for (const monitor of this.#monitors.values()) monitor.probe(true);
  }

  /** A call found something wrong with a node: looks at once. */
  suspect(node: RouterNode): void {
    this.#monitors.get(node)?.probe(true);
    // Trouble with the primary may be a failover, which shows at the others.
    if (node === this.primary || this.primary === undefined) {
      for (const monitor of this.#monitors.values()) monitor.probe(true);
    }
  }

  /** A call could not connect: the node is down until it answers a probe. */
  unreachable(node: RouterNode, error: unknown): void {
    this.#down(node, error, false);
    this.suspect(node);
  }

  /** A node refused a write as a standby does: it is not the primary, whatever was thought of it. */
  refusedWrite(node: RouterNode): void {
    if (node.role === "primary") this.#setRole(node, "replica");
    this.suspect(node);
    this.#sort();
  }

  stop(): void {
    for (const monitor of this.#monitors.values()) monitor.stop();
  }

  #monitor(node: RouterNode): Monitor {
    const { clock, random, probeTimeoutMs } = this.#options;
    return new Monitor(node.pool, {
      clock,
      random,
      probeTimeoutMs,
      pauseMs: () => this.#pauseMs(node),
      urgentPauseMs: () => (node.state === "down" ? this.#pauseMs(node) : SUSPECT_PROBE_MS),
      onFinding: (finding) => this.#found(node, finding),
    });
  }

  #pauseMs(node: RouterNode): number {
    const { probeIntervalMs } = this.#options;
    if (node.state === "down") {
      return Math.min(probeIntervalMs, node.failedProbes <= 1 ? FIRST_DOWN_PROBE_MS : DOWN_PROBE_MS);
    }
    if (node.failedProbes > 0) return 0;
    return this.primary === undefined ? Math.min(probeIntervalMs, NO_PRIMARY_PROBE_MS) : probeIntervalMs;
  }

  #found(node: RouterNode, finding: Finding): void {
    if (finding.kind === "answered") {
      const { state } = finding;
      this.#newestTimeline = Math.max(this.#newestTimeline, state.timeline ?? 0);
      if (node.role !== state.role) this.#setRole(node, state.role);
      node.observed = state;
      this.#up(node);
    } else if (finding.kind === "refused") {
      // It refuses us, but it is there: the calls themselves shall hear why.
      this.#up(node);
    } else {
      node.failedProbes += 1;
      const silent = finding.kind === "silent";
      if (!silent || node.failedProbes >= SILENT_PROBES) this.#down(node, finding.error, silent);
    }
    this.#sort();
  }

  #up(node: RouterNode): void {
    node.failedProbes = 0;
    if (node.state === "up") return;
    const wasDown = node.state === "down";
    node.state = "up";
    if (wasDown) this.#events.emit("router:node-up", { pool: this.#name, node: node.name });
  }

  #down(node: RouterNode, error: unknown, hung: boolean): void {
    if (node.state !== "down") {
      node.state = "down";
      node.outages += 1;
      this.#events.emit("router:node-down", { pool: this.#name, node: node.name, error });
      this.#sort();
    }
    // What runs on a node that does not answer would wait for ever; elsewhere it can go on.
    if (hung) node.pool.interrupt(new Error("the node stopped answering"));
  }

  #setRole(node: RouterNode, role: "primary" | "replica"): void {
    const wasPrimary = node.role === "primary" && node.observed !== undefined;
    node.role = role;
    this.#events.emit("router:role-changed", { pool: this.#name, node: node.name, role });
    if (wasPrimary && role === "replica") node.pool.interrupt(new Error("the node is not the primary any more"));
  }

  /** Works out the primary and the readers anew, and wakes those who wait for them. */
  #sort(): void {
    for (const node of this.nodes) this.#fence(node);
    const open = this.nodes.filter((node) => node.open);
    this.primary = open
      .filter((node) => node.role === "primary")
      .toSorted((a, b) => (b.observed?.timeline ?? 0) - (a.observed?.timeline ?? 0))[0];
    const replicas = open.filter((node) => node.role === "replica");
    this.readers = replicas.length > 0 ? replicas : this.primary === undefined ? [] : [this.primary];
    this.#changed();
  }

  #fence(node: RouterNode): void {
    const timeline = node.observed?.timeline;
    const fenced = node.role === "primary" && timeline !== undefined && timeline < this.#newestTimeline;
    if (fenced && !node.fenced) {
      this.#events.emit("router:node-fenced", { pool: this.#name, node: node.name });
      node.pool.interrupt(new Error("the node is a primary of an older history"));
    }
    node.fenced = fenced;
  }
}
