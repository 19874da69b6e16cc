/** What can be said of a simulation, and the checks of it. */
import {
  atLeast,
  flag,
  knownOptions,
  nonNegativeInteger,
  nonNegativeMs,
  oneOf,
  OptionError,
  positiveInteger,
  positiveMs,
} from "@breakwater/core";
import type { ClusterSettings } from "./cluster.ts";
import { checkFaults, type Fault, FAULT_KINDS, type FaultKind } from "./faults.ts";
import { makeFaults } from "./generate.ts";
import type { StackFactory } from "./process.ts";
import { checkWorkload, type CheckedWorkload, type SimulationWorkload } from "./workload.ts";

/** The simulated servers. Times are typical ones: each is drawn anew. */
export interface SimulatedNodesOptions {
  /** 0 to 20. @default 2 */
  readonly replicas?: number;
  /** Whether a commit is acknowledged only when a replica has received it; else a failover loses writes. @default true */
  readonly synchronous?: boolean;
  /** Statements that a server works on at one time. @default 8 */
  readonly workers?: number;
  /** How long a worker takes for a statement, in milliseconds. @default 0.5 */
  readonly serviceMs?: number;
  /** How long a worker takes to let a connection in, in milliseconds. @default 2 */
  readonly connectMs?: number;
  /** The way between a process and a server, one way, in milliseconds. @default 0.3 */
  readonly latencyMs?: number;
  /** Connections that a server has room for. @default 100 */
  readonly maxConnections?: number;
  /** How long a replica takes to replay what it has received, in milliseconds. @default 3 */
  readonly replayMs?: number;
  /** How long a server takes to start, in milliseconds. @default 300 */
  readonly startMs?: number;
  /** How long a primary is gone before a replica is promoted, in milliseconds; false for never. @default 1500 */
  readonly failoverAfterMs?: number | false;
}

/** Names of the checks: what each finds is told at `SimulationViolationKind`. */
export type SimulationCheck = "history" | "settled" | "recovery" | "left-out" | "leaks" | "deadlines" | "amplification";

/** Every check. */
export const CHECKS: readonly SimulationCheck[] = [
  "history",
  "settled",
  "recovery",
  "left-out",
  "leaks",
  "deadlines",
  "amplification",
];

/** What is simulated: load, servers, faults, seed. */
export interface SimulationOptions {
  /** Makes the stack of one process around the pools that it is given. */
  readonly stack: StackFactory;
  /** A whole number. @default 1 */
  readonly seed?: number;
  /** Calls that are made in all. @default 2000 */
  readonly calls?: number;
  /** Makes only these of the calls, by their numbers from 0: what shrinking leaves of them. @default all */
  readonly only?: readonly number[];
  /** Processes, each with a stack of its own in front of the same servers. @default 1 */
  readonly processes?: number;
  /** How many servers there are, and how they behave. @default one primary and two replicas */
  readonly nodes?: SimulatedNodesOptions;
  /** Most connections of one process to one server. @default 10 */
  readonly poolMax?: number;
  /** What the calls do, and how many there are at a time. @default something of everything */
  readonly workload?: SimulationWorkload;
  /** A script, or what one that is made up from the seed may hold; false for none. */
  readonly faults?: readonly Fault[] | { readonly max?: number; readonly kinds?: readonly FaultKind[] } | false;
  /** @default all of them */
  readonly check?: readonly SimulationCheck[];
  /** How long after the last fault everything must be well again, in milliseconds. @default 30000 */
  readonly settleMs?: number;
  /** How much later than its time limit a call may be answered, in milliseconds. @default 100 */
  readonly deadlineGraceMs?: number;
  /** Most operations that the servers may be given for each call, over the whole run. @default 6 */
  readonly maxAmplification?: number;
  /** Lines of the trace that are kept, the last ones; all are in its digest. @default 20000 */
  readonly maxTraceLines?: number;
  /** Length of one point of the series, in milliseconds. @default 100 */
  readonly seriesMs?: number;
}

/** The options with their defaults, and the script. */
export interface Plan {
  readonly stack: StackFactory;
  readonly seed: number;
  readonly calls: number;
  readonly only: ReadonlySet<number> | undefined;
  readonly processes: number;
  readonly cluster: ClusterSettings;
  readonly poolMax: number;
  readonly workload: CheckedWorkload;
  readonly faults: readonly Fault[];
  readonly checks: ReadonlySet<SimulationCheck>;
  readonly settleMs: number;
  readonly deadlineGraceMs: number;
  readonly maxAmplification: number;
  readonly maxTraceLines: number;
  readonly seriesMs: number;
}

const OPTIONS = [
  ...([
    "stack",
    "seed",
    "calls",
    "only",
    "processes",
    "nodes",
    "poolMax",
    "workload",
    "faults",
    "check",
    "settleMs",
  ] as const),
  ...(["deadlineGraceMs", "maxAmplification", "maxTraceLines", "seriesMs"] as const),
];
const NODE_OPTIONS = [
  ...(["replicas", "synchronous", "workers", "serviceMs", "connectMs", "latencyMs", "maxConnections"] as const),
  ...(["replayMs", "startMs", "failoverAfterMs"] as const),
];

/** The share of a run in which made-up faults begin. */
const FAULTY = 0.7;

/** @throws OptionError when an option is unknown or out of range. */
export function planOf(options: SimulationOptions): Plan {
  knownOptions("simulate", options, OPTIONS);
  const { stack, seed = 1, calls = 2_000, check = CHECKS } = options;
  if (typeof stack !== "function") throw new OptionError("simulate.stack", stack, "a function that makes a stack");
  if (!Number.isSafeInteger(seed)) throw new OptionError("simulate.seed", seed, "a whole number");
  if (!Array.isArray(check)) throw new OptionError("simulate.check", check, "an array of checks");
  for (const name of check) oneOf("simulate.check", name, CHECKS);
  positiveInteger("simulate.calls", calls);
  const { only } = options;
  if (only !== undefined && !Array.isArray(only)) throw new OptionError("simulate.only", only, "an array of numbers");
  for (const index of only ?? []) nonNegativeInteger("simulate.only", index);
  const cluster = clusterOf(options.nodes ?? {});
  const processes = positiveInteger("simulate.processes", options.processes ?? 1);
  const workload = checkWorkload(options.workload ?? {});
  return {
    stack,
    seed,
    calls,
    only: only === undefined ? undefined : new Set(only),
    processes,
    cluster,
    poolMax: positiveInteger("simulate.poolMax", options.poolMax ?? 10),
    workload,
    faults: faultsOf(options.faults ?? {}, seed, cluster.replicas, untilMs(workload, calls, processes)),
    checks: new Set(check),
    settleMs: nonNegativeMs("simulate.settleMs", options.settleMs ?? 30_000),
    deadlineGraceMs: nonNegativeMs("simulate.deadlineGraceMs", options.deadlineGraceMs ?? 100),
    maxAmplification: atLeast("simulate.maxAmplification", options.maxAmplification ?? 6, 1),
    maxTraceLines: nonNegativeInteger("simulate.maxTraceLines", options.maxTraceLines ?? 20_000),
    seriesMs: positiveMs("simulate.seriesMs", options.seriesMs ?? 100),
  };
}

function clusterOf(options: SimulatedNodesOptions): ClusterSettings {
  knownOptions("simulate.nodes", options, NODE_OPTIONS);
  const { failoverAfterMs = 1_500, replicas = 2 } = options;
  if (!Number.isInteger(replicas) || replicas < 0 || replicas > 20) {
    throw new OptionError("simulate.nodes.replicas", replicas, "a whole number from 0 to 20");
  }
  const ms = (name: Exclude<keyof SimulatedNodesOptions, "synchronous">, value: number): number =>
    nonNegativeMs(`simulate.nodes.${name}`, options[name] ?? value);
  return {
    replicas,
    synchronous: flag("simulate.nodes.synchronous", options.synchronous ?? true),
    workers: positiveInteger("simulate.nodes.workers", options.workers ?? 8),
    serviceMs: ms("serviceMs", 0.5),
    connectMs: ms("connectMs", 2),
    latencyMs: ms("latencyMs", 0.3),
    maxConnections: positiveInteger("simulate.nodes.maxConnections", options.maxConnections ?? 100),
    replayMs: ms("replayMs", 3),
    startMs: ms("startMs", 300),
    failoverAfterMs: failoverAfterMs === false ? Number.POSITIVE_INFINITY : ms("failoverAfterMs", 1_500),
  };
}

function untilMs({ ratePerSecond, callers, thinkMs }: CheckedWorkload, calls: number, processes: number): number {
  if (callers === undefined) return ((calls * 1_000) / ratePerSecond) * FAULTY;
  return ((calls * (thinkMs + 3)) / (callers * processes)) * FAULTY;
}

function faultsOf(
  given: NonNullable<SimulationOptions["faults"]>,
  seed: number,
  replicas: number,
  beforeMs: number,
): readonly Fault[] {
  const nodes = Array.from({ length: replicas + 1 }, (_, index) => `n${index + 1}`);
  if (given === false) return [];
  if (Array.isArray(given)) return checkFaults("simulate.faults", given, nodes);
  const { max = 6, kinds = FAULT_KINDS } = knownOptions(
    "simulate.faults",
    given as { readonly max?: number; readonly kinds?: readonly FaultKind[] },
    ["max", "kinds"],
  );
  nonNegativeInteger("simulate.faults.max", max);
  if (!Array.isArray(kinds)) throw new OptionError("simulate.faults.kinds", kinds, "an array of kinds");
  for (const kind of kinds) oneOf("simulate.faults.kinds", kind, FAULT_KINDS);
  return makeFaults(seed, { max, kinds, untilMs: beforeMs, nodes });
}
