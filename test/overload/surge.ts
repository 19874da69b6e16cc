/**
 * Calm, a minute of more than the servers can do, and calm again, in the simulator: the figures of one stack.
 */
import { type Fault, simulate, type SimulatedNodesOptions, type StackFactory } from "@breakwater/chaos/simulate";
import { failureOf, type Priority, type Random } from "@breakwater/core";

/** What is offered, and to how large a server. */
export interface Surge {
  readonly stack: StackFactory;
  readonly seed?: number;
  /** Statements at a time, and how long one takes: at the mean, and how much of that is different from one to the next. */
  readonly workers?: number;
  readonly serviceMs?: number;
  readonly spread?: number;
  readonly poolMax?: number;
  /** When a caller gives up. */
  readonly patienceMs?: number;
  /** Whether the stack is told so, by `timeoutMs`; bare pools know no such thing. @default true */
  readonly told?: boolean;
  /** What is offered, in capacities. */
  readonly calm?: number;
  readonly load?: number;
  readonly calmMs?: number;
  readonly surgeMs?: number;
  readonly afterMs?: number;
  readonly priority?: (number: number, random: Random) => Priority;
  /** How many servers share what is offered. @default 1 */
  readonly servers?: number;
  /** Tenants by number of call; a label of the call. */
  readonly tenant?: (number: number, random: Random) => string;
  readonly nodes?: SimulatedNodesOptions;
  readonly faults?: readonly Fault[];
  /** How often a caller calls again after a failure, at once. */
  readonly callerRetries?: number;
}

/** One call, as its caller saw it. */
export interface Answer {
  readonly startMs: number;
  readonly priority: Priority;
  readonly tenant: string | undefined;
  /** Undefined when it failed, or was answered after its caller had left. */
  readonly tookMs: number | undefined;
}

export interface Figures {
  /** Good answers in the surge, as a share of the capacity. */
  readonly goodput: number;
  /** 99th percentile of the good answers in the surge, as a multiple of that in the calm before. */
  readonly p99: number;
  /** Share of the critical calls of the surge that failed. */
  readonly criticalFailed: number;
  /** Seconds after the surge until it is as before: no half second later in which a tenth fails or takes 1.5 × the calm p99. */
  readonly calmAfterS: number;
  /** Statements sent for each call that was offered. */
  readonly amplification: number;
}

export interface Surged extends Figures {
  readonly answers: readonly Answer[];
  /** What the calls were rejected with. */
  readonly codes: ReadonlyMap<string, number>;
  /** Calls a millisecond that the server can answer. */
  readonly capacity: number;
  readonly surge: readonly [beginMs: number, endMs: number];
}

const everyTenth = (number: number): Priority =>
  number % 10 === 0 ? "critical" : number % 5 === 1 ? "sheddable" : "normal";

/** Runs it. Nothing waits in real time. */
export async function surge(given: Surge): Promise<Surged> {
  const { stack, seed = 7, workers = 8, serviceMs = 20, poolMax = 10, patienceMs = 100, told = true } = given;
  const { calm = 0.5, load = 2, calmMs = 10_000, surgeMs = 60_000, afterMs = 10_000, callerRetries = 0 } = given;
  const { priority = everyTenth, tenant, nodes, faults = [], spread = 0.25, servers = 1 } = given;
  const text = `work ${serviceMs * (1 - spread)}`;
  const capacity = (servers * workers) / serviceMs;
  const answers: Answer[] = [];
  const codes = new Map<string, number>();
  const calls = Math.ceil(capacity * (calm * (calmMs + afterMs) + load * surgeMs));
  const report = await simulate({
    stack,
    seed,
    calls,
    poolMax,
    check: [],
    maxTraceLines: 0,
    settleMs: 0,
    nodes: { replicas: 0, workers, serviceMs: serviceMs * spread, latencyMs: 0.1, connectMs: 2, ...nodes },
    faults: [
      ...(load === calm
        ? []
        : [{ kind: "surge", target: "all", atMs: calmMs, durationMs: surgeMs, factor: load / calm } as const]),
      ...faults,
    ],
    workload: {
      ratePerSecond: 1_000 * capacity * calm,
      sessions: 1,
      timeoutMs: 60_000,
      call: async ({ database, clock, random, index }) => {
        const startMs = clock.now();
        const each = { priority: priority(index, random), tenant: tenant?.(index, random) };
        let tookMs: number | undefined;
        for (let left = callerRetries; left >= 0; left -= 1) {
          try {
            await database.query(text, [], {
              priority: each.priority,
              // A session that reads stays at one node.
              consistency: servers > 1 ? "eventual" : "session",
              ...(told && { timeoutMs: patienceMs }),
              ...(each.tenant !== undefined && { label: each.tenant }),
            });
            tookMs = clock.now() - startMs;
            if (tookMs > patienceMs * (callerRetries + 1)) tookMs = undefined;
            break;
          } catch (error) {
            codes.set(codeOf(error), (codes.get(codeOf(error)) ?? 0) + 1);
          }
        }
        answers.push({ startMs, ...each, tookMs });
      },
    },
  });
  const [begin, end] = [calmMs, calmMs + surgeMs];
  const figures = figuresOf(answers, { begin, end, capacity });
  return {
    ...figures,
    codes,
    amplification: report.stats.attempts / report.stats.calls,
    answers,
    capacity,
    surge: [begin, end],
  };
}

function figuresOf(
  answers: readonly Answer[],
  { begin, end, capacity }: { begin: number; end: number; capacity: number },
): Omit<Figures, "amplification"> {
  const surged = answers.filter(({ startMs }) => startMs >= begin && startMs < end);
  const good = surged.filter(({ tookMs }) => tookMs !== undefined);
  const calmP99 = percentile(
    answers.filter(({ startMs }) => startMs < begin),
    0.99,
  );
  const critical = surged.filter(({ priority }) => priority === "critical");
  return {
    goodput: good.length / (capacity * (end - begin)),
    p99: percentile(good, 0.99) / calmP99,
    criticalFailed: critical.filter(({ tookMs }) => tookMs === undefined).length / Math.max(1, critical.length),
    calmAfterS: calmAfter(answers, end, calmP99),
  };
}

function codeOf(error: unknown): string {
  const { code, message } = error as Error & { readonly code?: string };
  return `${code ?? message} ${failureOf(error).phase}`;
}

const SLICE_MS = 500;

/** Seconds from `end` to the end of the last slice in which calls failed, or took far longer than when it was calm. */
function calmAfter(answers: readonly Answer[], end: number, calmP99: number): number {
  const slices = new Map<number, Answer[]>();
  for (const answer of answers) {
    if (answer.startMs < end) continue;
    const at = Math.floor((answer.startMs - end) / SLICE_MS);
    const slice = slices.get(at);
    if (slice === undefined) slices.set(at, [answer]);
    else slice.push(answer);
  }
  let last = -1;
  for (const [at, slice] of slices) {
    const failed = slice.filter(({ tookMs }) => tookMs === undefined).length;
    if (failed > Math.max(2, slice.length / 10) || percentile(slice, 0.9) > 1.5 * calmP99) last = Math.max(last, at);
  }
  return ((last + 1) * SLICE_MS) / 1_000;
}

/** A percentile of how long the good ones took. */
export function percentile(answers: readonly Answer[], share: number): number {
  const sorted = Float64Array.from(answers.flatMap(({ tookMs }) => tookMs ?? [])).toSorted();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
