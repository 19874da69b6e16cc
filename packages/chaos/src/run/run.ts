/** Runs a scenario: starts a cluster, puts load on it, does the steps, ends everything, and judges. */
import { integerIn, onlyKnown, refusal } from "../check.ts";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import type { ProviderFactory } from "../cluster/provider.ts";
import { stateError } from "../errors.ts";
import { Faults } from "../faults/faults.ts";
import { History } from "../history/history.ts";
import { msOf } from "../scenario/duration.ts";
import type { Scenario } from "../scenario/model.ts";
import { until, within } from "../wait.ts";
import { caughtUp } from "./conditions.ts";
import { Endpoint } from "./endpoint.ts";
import { connectionsLeft, finalStateOf } from "./ending.ts";
import { Observer } from "./lanes.ts";
import { Places } from "./places.ts";
import type { RunFault, RunRecord, RunStep } from "./record.ts";
import { errorsOf, latenciesOf, samplesOf } from "./samples.ts";
import { openingBalances, workloadTables } from "./sql.ts";
import { Steps } from "./steps.ts";
import type { Ask, Subject, SubjectFactory, SubjectTarget } from "./subject.ts";
import { judge } from "./verdict.ts";
import { Workload, workloadOptions } from "./workload.ts";

/** How a run stands. */
export interface RunProgress {
  /** Since the load began; 0 before. */
  readonly elapsedMs: number;
  /** Calls that were answered well. */
  readonly ok: number;
  /** Calls that failed. */
  readonly failed: number;
  /** Calls whose outcome is unknown. */
  readonly unknown: number;
  /** Calls that are under way. */
  readonly running: number;
}

/** A step that begins, or has ended. */
export type StepProgress = RunStep | { readonly path: string; readonly text: string; readonly status: "running" };

/** What is run, with which dice, and who is told of it. */
export interface RunOptions {
  /** Makes who is tried. */
  readonly subject: SubjectFactory;
  /** 0 to 4,294,967,295. @default a random one, told by the record */
  readonly seed?: number;
  /** Where the servers run, such as `containers()` of `@breakwater/chaos/containers`. @default as processes of this machine */
  readonly provider?: ProviderFactory;
  /** Ends the run early: the servers are ended and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told four times a second. */
  readonly onProgress?: (progress: RunProgress) => void;
  /** Told when a step begins and when it has ended. */
  readonly onStep?: (step: StepProgress) => void;
}

const PROGRESS_MS = 250;
const LOOK_MS = 25;
const MAX_SEED = 0xffff_ffff;

/**
 * Runs a scenario once. The record says what came of it, also where steps could not be done.
 *
 * @throws RangeError for a bad option; ChaosError when there is no cluster to be had; what the subject's factory throws.
 */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<RunRecord> {
  onlyKnown("runScenario", options, ["subject", "seed", "provider", "signal", "onProgress", "onStep"]);
  if (typeof options.subject !== "function")
    throw refusal("subject", options.subject, "a function that makes a subject");
  const seed = integerIn("seed", options.seed ?? Math.floor(Math.random() * 1_000_000), 0, MAX_SEED);
  const { signal, provider } = options;
  if (provider !== undefined && typeof provider !== "function")
    throw refusal("provider", provider, "what containers() returns");
  signal?.throwIfAborted();
  const setupAt = performance.now();
  const own = provider === undefined ? {} : { provider: ofOurOwn(provider) };
  const cluster = await startCluster({ ...scenario.cluster, ...own });
  const places = new Places(cluster);
  const endpoint = new Endpoint(() => places.port);
  try {
    signal?.throwIfAborted();
    await endpoint.listen();
    if (scenario.service !== undefined)
      places.name(scenario.service.nodes.flatMap((one) => places.nodes(one, () => 0)));
    const target = targetOf(cluster, endpoint.port, places, seed);
    return await new Run(scenario, options, { cluster, places, seed, setupAt }).record(target);
  } finally {
    // What came of the run must not be lost because something of the kit does not end well.
    await Promise.all([endpoint.close(), cluster.close()]).catch(warn);
  }
}

/** A load with tables of its own, and a look at who is connected in the end, need a cluster that nobody else uses. */
function ofOurOwn(make: ProviderFactory): ProviderFactory {
  return async (options) => {
    const provider = await make(options);
    if (provider.standing !== true) return provider;
    await provider.close();
    throw stateError("runScenario: the servers are somebody else's; a scenario needs a cluster of its own");
  };
}

function warn(error: unknown): void {
  process.emitWarning(messageOf(error), { code: "BREAKWATER_CHAOS_CLOSE" });
}

interface Stage {
  readonly cluster: Cluster;
  readonly places: Places;
  readonly seed: number;
  readonly setupAt: number;
}

class Run {
  readonly #scenario: Scenario;
  readonly #options: RunOptions;
  readonly #stage: Stage;
  readonly #history = new History({ opening: { balances: openingBalances } });
  #originMs = 0;

  constructor(scenario: Scenario, options: RunOptions, stage: Stage) {
    this.#scenario = scenario;
    this.#options = options;
    this.#stage = stage;
  }

  async record(target: SubjectTarget): Promise<RunRecord> {
    const { cluster, setupAt, seed, places } = this.#stage;
    const { signal = new AbortController().signal, onStep } = this.#options;
    const ask: Ask = (text, values) => cluster.primary.query(text, values);
    await ask(workloadTables);
    const subject = closedOnce(await this.#options.subject(target));
    const now = (): number => Math.round((performance.now() - this.#originMs) * 10) / 10;
    const observer = new Observer(now);
    const faults = new Faults({ cluster });
    const unobserve = subject.observe?.((event) => observer.hear(event));
    let steps: Steps | undefined;
    const timers: NodeJS.Timeout[] = [];
    try {
      await subject.prepare?.(ask);
      // Whoever reads from a replica must find the tables there.
      await until("the replicas to have the tables", () => caughtUp(cluster), { everyMs: 5 });
      this.#originMs = performance.now();
      const startedAt = new Date().toISOString();
      timers.push(...this.#watch(observer));
      steps = new Steps({
        cluster,
        places,
        faults,
        history: this.#history,
        subject,
        signal,
        seed,
        now,
        breakers: observer.breakers,
        told: (step) => onStep?.(step),
      });
      const load = new Workload(subject, this.#history, this.#scenario.workload ?? {}, seed);
      await steps.run(this.#scenario.steps);
      const problem = await this.#calm(steps, load.stop());
      signal.throwIfAborted();
      const durationMs = now();
      for (const timer of timers) clearInterval(timer);
      observer.look(cluster.nodes);
      const { description, name, cluster: clusterOptions = {}, workload, expect = {} } = this.#scenario;
      const ended = await this.#end(subject, steps.done, problem);
      const { operations } = this.#history;
      const { ok, fail, unknown, pending } = this.#history.counts();
      return {
        format: 1,
        scenario: name,
        description,
        seed,
        subject: subject.name,
        startedAt,
        durationMs,
        setupMs: Math.round(this.#originMs - setupAt),
        options: { cluster: clusterOptions, workload: workloadOptions(workload), expect },
        samples: samplesOf(operations, this.#originMs, durationMs),
        latencies: latenciesOf(operations),
        faults: this.#faults(faults, durationMs),
        nodes: observer.nodes.until(durationMs),
        breakers: observer.breakers.until(durationMs),
        events: observer.events,
        steps: steps.done,
        ...ended,
        errors: errorsOf(operations),
        totals: { calls: operations.length, ok, failed: fail, unknown, pending },
      };
    } finally {
      for (const timer of timers) clearInterval(timer);
      unobserve?.();
      // A run that was given up has not come to it.
      subject.close().catch(() => {});
      await steps?.endFaults().catch(() => {});
    }
  }

  /** Ends the faults and waits for the last answers. @returns what went wrong with the run itself. */
  async #calm(steps: Steps, settled: Promise<unknown>): Promise<string | undefined> {
    const broken = (): string | undefined => {
      const step = steps.done.find(({ status }) => status === "broken");
      return step === undefined ? undefined : `${step.path} (${step.text}): ${step.error}`;
    };
    try {
      await steps.timed();
      await steps.endFaults();
      this.#options.signal?.throwIfAborted();
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      return broken() ?? `a fault could not be ended: ${messageOf(error)}`;
    }
    // Calls without an answer are found in the history.
    const limitMs = msOf(this.#scenario.expect?.settle) ?? 15_000;
    await within("all calls to be answered", settled, limitMs).catch(() => {});
    return broken();
  }

  /** Closes the subject and judges. */
  async #end(
    subject: Subject,
    steps: readonly RunStep[],
    problem: string | undefined,
  ): Promise<Pick<RunRecord, "violations" | "violationCounts" | "connectionsLeft" | "verdict" | "problem">> {
    const { cluster } = this.#stage;
    const notClosed = await within("close()", subject.close(), 15_000).then(() => undefined, messageOf);
    const given = { violations: [], violationCounts: {}, connectionsLeft: null };
    if (problem !== undefined) return { ...given, verdict: "broken", problem };
    try {
      const left = await connectionsLeft(cluster);
      const finalState = await finalStateOf(cluster, subject);
      const { expect = {} } = this.#scenario;
      const evidence = { history: this.#history, finalState, expect, steps, left, notClosed, originMs: this.#originMs };
      const { violations, counts } = judge(evidence);
      const verdict = violations.length === 0 ? "passed" : "violated";
      return { violations, violationCounts: counts, connectionsLeft: left.length, verdict, problem: null };
    } catch (error) {
      return { ...given, verdict: "broken", problem: `what the database holds cannot be read: ${messageOf(error)}` };
    }
  }

  /** Looks at the nodes, and tells how it goes. */
  #watch(observer: Observer): NodeJS.Timeout[] {
    const { cluster } = this.#stage;
    observer.look(cluster.nodes);
    const { onProgress } = this.#options;
    const tell = (): void => {
      const { ok, fail, unknown, pending } = this.#history.counts();
      const elapsedMs = performance.now() - this.#originMs;
      onProgress?.({ elapsedMs, ok, failed: fail, unknown, running: pending });
    };
    const timers = [setInterval(() => observer.look(cluster.nodes), LOOK_MS)];
    if (onProgress !== undefined) timers.push(setInterval(tell, PROGRESS_MS));
    return timers;
  }

  #faults(faults: Faults, durationMs: number): RunFault[] {
    const moment = (ms: number): number => Math.min(durationMs, Math.max(0, Math.round(ms - this.#originMs)));
    return faults.record().map(({ level, name, target, beganMs, endedMs, hits }) => {
      const toMs = endedMs === undefined ? durationMs : moment(endedMs);
      return { level, name, target, fromMs: moment(beganMs), toMs, hits };
    });
  }
}

function targetOf(cluster: Cluster, port: number, places: Places, seed: number): SubjectTarget {
  const { primary, replicas, nodes } = cluster;
  return {
    primary: primary.connectionString,
    replicas: replicas.map(({ connectionString }) => connectionString),
    endpoint: Object.assign(new URL(primary.connectionString), { port: String(port) }).href,
    nodes: nodes.map(({ name, port: own, connectionString }) => ({
      name,
      host: "127.0.0.1",
      port: own,
      connectionString,
    })),
    service: places.service,
    seed,
  };
}

/** A subject that may be closed twice. */
function closedOnce(subject: Subject): Subject {
  let closing: Promise<void> | undefined;
  return Object.assign(Object.create(subject) as Subject, { close: () => (closing ??= subject.close()) });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
