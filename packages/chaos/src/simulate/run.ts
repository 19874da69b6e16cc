/** One simulation, from the first call to what is left after the last. */
import { bounded, sleep } from "@breakwater/core";
import { SimulatedCluster } from "./cluster.ts";
import { drive } from "./drive.ts";
import { describeFault, type Fault } from "./faults.ts";
import { afterwards } from "./afterwards.ts";
import { schedule } from "./inject.ts";
import { Load } from "./load.ts";
import type { Plan, SimulationCheck } from "./options.ts";
import { Process } from "./process.ts";
import { Series } from "./series.ts";
import { Trace } from "./trace.ts";
import { VirtualClock } from "./virtual-clock.ts";
import type { SimulationViolation, SimulationViolationKind } from "./violation.ts";

/** Violations that are kept; a broken stack makes thousands. */
const MAX_VIOLATIONS = 100;
/** Events without any time passing, and operations in one event, after which a run is given up. */
const STUCK_EVENTS = 200_000;
const STUCK_OPERATIONS = 20_000;
/** What has not ended so long after its time limit never will, in milliseconds. */
const PATIENCE_MS = 30_000;

export class Run {
  readonly plan: Plan;
  readonly clock: VirtualClock = new VirtualClock();
  readonly series: Series;
  readonly trace: Trace;
  readonly cluster: SimulatedCluster;
  readonly processes: readonly Process[];
  readonly load: Load;
  readonly violations: SimulationViolation[] = [];
  violationCount = 0;
  /** When the last fault is over, in milliseconds. */
  readonly faultsEndMs: number;
  /** Calls that each process had given each node when the first fault began. */
  beforeFaults: readonly ReadonlyMap<string, number>[] | undefined;
  readonly #surges = new Set<Fault>();
  #finished = false;
  #stuck = false;
  #operations = 0;
  #inEvent = 0;

  constructor(plan: Plan) {
    const { seed, cluster, poolMax, stack, faults } = plan;
    this.plan = plan;
    this.series = new Series(plan.seriesMs);
    this.trace = new Trace(plan.maxTraceLines);
    this.cluster = new SimulatedCluster(cluster, this.clock, seed, (what, node) => this.note(`${node.name} ${what}`));
    this.faultsEndMs = Math.max(0, ...faults.map(({ atMs, durationMs }) => atMs + durationMs));
    const home = {
      seed,
      clock: this.clock,
      cluster: this.cluster,
      series: this.series,
      poolMax,
      stack,
      latencyMs: cluster.latencyMs,
      goesOn: () => this.#goesOn(),
    };
    this.processes = Array.from({ length: plan.processes }, (_, index) => new Process(index, home));
    this.load = new Load(this);
  }

  /** How many times as many calls as usual come now. */
  get surge(): number {
    let factor = 1;
    for (const fault of this.#surges) if (fault.kind === "surge") factor *= fault.factor;
    return factor;
  }

  note(what: string): void {
    this.trace.line(this.clock.now(), what);
  }

  checks(name: SimulationCheck): boolean {
    return this.plan.checks.has(name);
  }

  violate(kind: SimulationViolationKind, message: string): void {
    this.violationCount += 1;
    this.note(`! ${kind}`);
    if (this.violations.length < MAX_VIOLATIONS) this.violations.push({ kind, message, atMs: this.clock.now() });
  }

  /** Waits in virtual time. */
  wait(ms: number): Promise<void> {
    return sleep(this.clock, ms);
  }

  /** Waits for something that should have ended long before the wait does; undefined when it has not. */
  patiently<T>(promise: Promise<T>): Promise<T | undefined> {
    const limit = this.clock.now() + this.plan.workload.timeoutMs + PATIENCE_MS;
    const onLimit = (): Error => new Error("it does not end");
    return bounded(promise, { clock: this.clock, limit, signal: undefined, onLimit }).catch(() => undefined);
  }

  async execute(): Promise<void> {
    schedule(this.plan.faults, this.cluster, this.clock, (what, fault) => {
      this.beforeFaults ??= this.processes.map(({ given }) => new Map(given));
      this.note(`${what} ${describeFault(fault)}`);
      if (fault.kind !== "surge") return;
      if (what === "begins") this.#surges.add(fault);
      else this.#surges.delete(fault);
    });
    let failure: { readonly error: unknown } | undefined;
    const life = this.#live().then(
      () => (this.#finished = true),
      (error: unknown) => {
        failure = { error };
        this.#finished = true;
      },
    );
    await drive(() => this.#step());
    if (this.#stuck) return;
    await life;
    if (failure !== undefined) throw failure.error;
  }

  async #live(): Promise<void> {
    await this.load.run();
    await afterwards(this);
  }

  #step(): boolean {
    if (this.#finished || this.#stuck) return false;
    const run = this.clock.next();
    if (run === undefined) return false;
    if (this.clock.inMoment > STUCK_EVENTS) this.#getStuck("events");
    try {
      run();
    } catch (error) {
      this.violate("thrown", `a timer's function threw: ${String(error)}`);
    }
    return true;
  }

  #goesOn(): boolean {
    if (this.#inEvent !== this.clock.events) {
      this.#inEvent = this.clock.events;
      this.#operations = 0;
    }
    this.#operations += 1;
    if (this.#operations > STUCK_OPERATIONS) this.#getStuck("operations");
    return !this.#stuck;
  }

  #getStuck(what: string): void {
    if (this.#stuck) return;
    this.#stuck = true;
    this.violate("livelock", `more than ${STUCK_OPERATIONS} ${what} without any time passing`);
  }
}
