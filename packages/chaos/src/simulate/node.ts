/**
 * One simulated server: who is connected, what waits for a free worker, what is broken about it now, and its log.
 */
import type { Random } from "@breakwater/core";
import { Backend, type Reply, type Server } from "./backend.ts";
import { SimulatedError } from "./dialect.ts";
import { exponential } from "./dice.ts";
import type { Fault } from "./faults.ts";
import { type Command, isWrite } from "./statement.ts";
import { type Change, type Entry, Tables } from "./tables.ts";
import type { VirtualClock } from "./virtual-clock.ts";
import { Workers } from "./workers.ts";

/** How the servers of a simulation are. */
export interface NodeSettings {
  readonly workers: number;
  readonly serviceMs: number;
  readonly connectMs: number;
  readonly latencyMs: number;
  readonly maxConnections: number;
  readonly replayMs: number;
  readonly startMs: number;
}

/** Whom a node tells of what concerns the others. */
export interface NodeHome {
  /** Whether a commit is acknowledged only when another node has received it. */
  readonly synchronous: boolean;
  /** There is something to send to the followers. */
  wrote(node: SimulatedNode): void;
  /** Commits up to here have been acknowledged. */
  acknowledged(position: number): void;
}

/** Entries of its log that a node keeps for followers; one that is further behind copies everything. */
const KEPT = 5_000;

type Direction = "requests" | "replies";

export class SimulatedNode implements Server {
  readonly name: string;
  readonly settings: NodeSettings;
  readonly running: Map<number, Backend> = new Map();
  readonly backends: Set<Backend> = new Set();
  readonly faults: Set<Fault> = new Set();
  role: "primary" | "replica" = "replica";
  state: "up" | "starting" | "down" = "up";
  timeline = 1;
  /** Grows with each life of the server. */
  starts = 1;
  tables: Tables = new Tables();
  /** Position of the last commit in the log. */
  written = 0;
  /** The node that this one replicates from. */
  follows: SimulatedNode | undefined;
  /** Statements that calls have run here. */
  served = 0;
  log: Entry[] = [];
  readonly workers: Workers;
  readonly #home: NodeHome;
  readonly #random: Random;
  #pids = 0;
  // Commits that wait until another node has received them.
  #unconfirmed: { readonly entry: Entry; readonly done: () => void }[] = [];
  #held: Record<Direction, (() => void)[]> = { requests: [], replies: [] };

  constructor(name: string, settings: NodeSettings, clock: VirtualClock, random: Random, home: NodeHome) {
    this.name = name;
    this.settings = settings;
    this.workers = new Workers(clock, settings.workers);
    this.#random = random;
    this.#home = home;
  }

  get life(): string {
    return `${this.name}.${this.starts}/${this.timeline}`;
  }

  /** Lets a message pass as soon as the way is open. */
  pass(direction: Direction, deliver: () => void): void {
    if (this.faults.size > 0 && this.#blocked(direction)) this.#held[direction].push(deliver);
    else deliver();
  }

  /** A fault is over: what it held back goes on. */
  release(): void {
    for (const direction of ["requests", "replies"] as const) {
      if (this.#blocked(direction)) continue;
      for (const deliver of this.#held[direction].splice(0)) deliver();
    }
  }

  /** Whether a fault of one of some kinds is on. */
  suffers(...kinds: readonly Fault["kind"][]): boolean {
    for (const { kind } of this.faults) if (kinds.includes(kind)) return true;
    return false;
  }

  /** A client wants to connect. */
  connect(onEnd: (code: string) => void, accept: (backend: Backend) => void, refuse: (code: string) => void): void {
    if (this.state === "down") refuse("ECONNREFUSED");
    else if (this.state === "starting") refuse("57P03");
    else if (this.suffers("refuse") || this.backends.size >= this.settings.maxConnections) refuse("53300");
    else {
      const backend = new Backend(this, ++this.#pids, onEnd);
      this.backends.add(backend);
      this.workers.serve(exponential(this.#random, this.settings.connectMs) * this.#slowness(), () => accept(backend));
    }
  }

  /** A statement has arrived. */
  execute(backend: Backend, commands: readonly Command[], reply: (reply: Reply) => void): void {
    if (backend.closed) return;
    const drop = this.faults.size === 0 ? undefined : this.#drops(commands);
    if (drop === "before") {
      this.end(backend);
      return;
    }
    backend.busy += 1;
    const ms = exponential(this.#random, this.settings.serviceMs) * this.#slowness() + workOf(commands);
    this.workers.serve(ms, () => {
      if (backend.closed) return;
      const refusal = this.#refusal(backend);
      const answered = (answer: Reply): void => {
        backend.busy -= 1;
        if (backend.closed) return;
        if (backend.leaving || drop === "after") this.end(backend);
        else reply(answer);
      };
      if (refusal === undefined) backend.run(commands, answered);
      else {
        backend.fail();
        answered({ error: refusal, status: backend.status });
      }
    });
  }

  /** A client has gone. What it had sent is carried out all the same, unless it asked to stop it. */
  leave(backend: Backend, cancel: boolean): void {
    backend.leaving = true;
    if (cancel) backend.cancelled = true;
    if (backend.busy === 0) this.end(backend);
  }

  /** Ends a connection. */
  end(backend: Backend, code = "ECONNRESET"): void {
    if (backend.closed) return;
    backend.closed = true;
    backend.abort();
    this.backends.delete(backend);
    backend.onEnd(code);
  }

  commit(transaction: number, changes: readonly Change[], done: () => void): void {
    const entry: Entry = { position: ++this.written, transaction, changes };
    this.tables.logged(entry);
    this.keep(entry);
    if (this.#home.synchronous) this.#unconfirmed.push({ entry, done });
    else {
      this.tables.apply(entry);
      done();
    }
    this.#home.wrote(this);
  }

  /** Another node has received the log up to a position. */
  confirmed(position: number): void {
    let count = 0;
    while ((this.#unconfirmed[count]?.entry.position ?? Number.POSITIVE_INFINITY) <= position) count += 1;
    if (count === 0) return;
    for (const { entry, done } of this.#unconfirmed.splice(0, count)) {
      this.tables.apply(entry);
      this.#home.acknowledged(entry.position);
      done();
    }
  }

  /** Puts an entry into the log. */
  keep(entry: Entry): void {
    this.log.push(entry);
    if (this.log.length > 2 * KEPT) this.log = this.log.slice(-KEPT);
    this.written = entry.position;
  }

  /** Makes everything visible that is in the log. */
  replay(): void {
    const { tables } = this;
    let at = this.log.length;
    while (at > 0 && (this.log[at - 1] as Entry).position > tables.position) at -= 1;
    for (const entry of this.log.slice(at)) {
      tables.logged(entry);
      tables.apply(entry);
    }
  }

  /** The server dies, or is stopped. */
  stop(): void {
    this.state = "down";
    this.workers.clear();
    this.#unconfirmed = [];
    for (const backend of this.backends) this.end(backend);
    this.running.clear();
  }

  /** The server is back, with everything that is in its log. */
  start(): void {
    this.starts += 1;
    this.replay();
    this.tables.begin();
    this.state = "up";
  }

  /** Takes a copy of another node's data, in place of its own. */
  clone(from: SimulatedNode): void {
    this.tables = new Tables(from.tables);
    this.log = [...from.log];
    this.written = from.written;
    this.follow(from);
  }

  follow(other: SimulatedNode): void {
    this.role = "replica";
    this.follows = other;
    this.timeline = other.timeline;
  }

  promote(timeline: number): void {
    this.replay();
    this.tables.begin();
    this.role = "primary";
    this.follows = undefined;
    this.timeline = timeline;
  }

  #blocked(direction: Direction): boolean {
    for (const fault of this.faults) {
      if (fault.kind === "hang") return true;
      if (fault.kind !== "partition") continue;
      const { direction: blocked = "both" } = fault;
      if (blocked === "both" || blocked === direction) return true;
    }
    return false;
  }

  #slowness(): number {
    let factor = 1;
    for (const fault of this.faults) if (fault.kind === "slow") factor *= fault.factor;
    return factor;
  }

  #drops(commands: readonly Command[]): "before" | "after" | undefined {
    for (const fault of this.faults) {
      if (fault.kind !== "lost-replies") continue;
      const { to = "any", when = "after", rate } = fault;
      const commit = commands.some(({ verb }) => verb === "commit");
      const fits = to === "any" || commit || (to === "write" && commands.some(({ verb }) => isWrite(verb)));
      if (fits && this.#random() < rate) return when;
    }
    return undefined;
  }

  /** Why a statement is not carried out. */
  #refusal(backend: Backend): SimulatedError | undefined {
    if (backend.cancelled) return new SimulatedError("57014", "cancelled on the client's request");
    for (const fault of this.faults) {
      if (fault.kind === "errors" && this.#random() < fault.rate) return new SimulatedError(fault.code, "injected");
    }
    return undefined;
  }
}

/** What the commands take by themselves, in milliseconds. */
function workOf(commands: readonly Command[]): number {
  let ms = 0;
  for (const { verb, key } of commands) if (verb === "work") ms += Math.max(0, Number(key)) || 0;
  return ms;
}
