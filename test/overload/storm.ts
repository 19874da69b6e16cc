/**
 * Many processes, each with many callers, in front of one primary that hangs, dies and comes back: who connects when, what
 * is tried again, and how long it takes until all is as before.
 */
import { policy, type Pool } from "@breakwater/core";
import { type SeriesPoint, simulate, type StackFactory } from "@breakwater/chaos/simulate";

export interface Storm {
  readonly stack: StackFactory;
  readonly processes: number;
  readonly callers: number;
  readonly seed?: number;
}

/** A moment of the plot. */
export interface StormPoint extends Pick<SeriesPoint, "atMs" | "offered" | "ok" | "failed" | "connects" | "retries"> {
  /** Calls handed to the pools of the node: what a stack sends, whether or not there is a connection. */
  readonly sent: number;
}

export interface StormFigures {
  readonly points: readonly StormPoint[];
  readonly calls: number;
  readonly failed: number;
  readonly connects: number;
  readonly retries: number;
  /** The most that were sent, and the most attempts to connect, in one point while the primary was down, in means of it. */
  readonly sentWave: number;
  readonly connectWave: number;
  /** The most attempts to connect in any second while it was down. */
  readonly mostConnectsDown: number;
  /**
   * How much of what is sent, and of the attempts to connect, repeats itself while the primary is down: the highest
   * autocorrelation, from 0 to 1.
   */
  readonly sentRepeats: number;
  readonly connectRepeats: number;
  /** Milliseconds from the primary's return until a second's calls are answered as before. */
  readonly recoveryMs: number;
}

export const STEP_MS = 100;
export const HANG_MS = 8_000;
export const CRASH_MS = 10_000;
export const BACK_MS = 15_000;
const START_MS = 300;
const UNTIL_MS = 27_000;
/** Time that the detection of a crash has, before waves are looked for. */
const SOON_MS = 500;

/** Runs it. Each caller thinks for ten seconds between two calls; one server's workers are 40 % busy. */
export async function storm({ stack, processes, callers, seed = 1 }: Storm): Promise<StormFigures> {
  const thinkMs = 10_000;
  const perSecond = (processes * callers * 1_000) / thinkMs;
  const sent: number[] = [];
  const counted: StackFactory = (given) => {
    const count = policy("counted", (operation, next) => {
      if (operation.purpose !== "probe") {
        const at = Math.floor(given.clock.now() / STEP_MS);
        sent[at] = (sent[at] ?? 0) + 1;
      }
      return next(operation);
    });
    const primary: Pool = count(given.nodes.primary);
    return stack({ ...given, nodes: { primary, replicas: [] } });
  };
  const workers = 16;
  const report = await simulate({
    stack: counted,
    seed,
    processes,
    calls: Math.ceil((perSecond * UNTIL_MS) / 1_000),
    poolMax: 2,
    check: [],
    maxTraceLines: 0,
    settleMs: 0,
    seriesMs: STEP_MS,
    nodes: {
      replicas: 0,
      workers,
      serviceMs: (0.4 * workers * 1_000) / perSecond,
      connectMs: Math.min(2, (0.4 * workers * 1_000) / perSecond),
      maxConnections: 3 * processes,
      startMs: START_MS,
      failoverAfterMs: false,
    },
    faults: [
      { kind: "hang", target: "n1", atMs: HANG_MS, durationMs: CRASH_MS - HANG_MS },
      { kind: "crash", target: "n1", atMs: CRASH_MS, durationMs: BACK_MS - CRASH_MS },
    ],
    workload: {
      callers,
      thinkMs,
      sessions: 1,
      timeoutMs: 10_000,
      call: ({ database, timeoutMs }) => database.query("get k", [], { timeoutMs }),
    },
  });
  const { calls, failed, unknown, connects, retries } = report.stats;
  const points = report.series
    .filter(({ atMs }) => atMs < UNTIL_MS)
    .map(({ atMs, offered, ok, failed: lost, connects: opened, retries: again }) => ({
      atMs,
      offered,
      ok,
      failed: lost,
      connects: opened,
      retries: again,
      sent: sent[Math.round(atMs / STEP_MS)] ?? 0,
    }));
  const within = (fromMs: number, toMs: number): StormPoint[] =>
    points.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
  const down = within(CRASH_MS + SOON_MS, BACK_MS);
  return {
    points,
    calls,
    failed: failed + unknown,
    connects,
    retries,
    sentWave: wave(down.map((point) => point.sent)),
    connectWave: wave(down.map((point) => point.connects)),
    mostConnectsDown: mostInASecond(down.map((point) => point.connects)),
    sentRepeats: repeats(down.map((point) => point.sent)),
    connectRepeats: repeats(down.map((point) => point.connects)),
    recoveryMs: recovery(points),
  };
}

/** The highest value in means; few of anything are no wave. */
function wave(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.max(...values) / Math.max(mean, 1);
}

function mostInASecond(values: readonly number[]): number {
  const second = 1_000 / STEP_MS;
  return Math.max(
    ...values
      .slice(second - 1)
      .map((_, from) => values.slice(from, from + second).reduce((sum, value) => sum + value, 0)),
  );
}

/** The highest autocorrelation at a lag from 300 ms to half of the time. */
export function repeats(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const around = values.map((value) => value - mean);
  const power = around.reduce((sum, value) => sum + value * value, 0);
  if (power === 0) return 0;
  let most = 0;
  for (let lag = 3; lag <= values.length / 2; lag += 1) {
    let sum = 0;
    for (let at = lag; at < values.length; at += 1) sum += (around[at] ?? 0) * (around[at - lag] ?? 0);
    most = Math.max(most, sum / power);
  }
  return most;
}

function recovery(points: readonly StormPoint[]): number {
  const before = points.filter(({ atMs }) => atMs >= 3_000 && atMs < HANG_MS);
  const usual = before.reduce((sum, { ok }) => sum + ok, 0) / before.length;
  const after = points.filter(({ atMs }) => atMs >= BACK_MS);
  const at = after.findIndex((_, index) => {
    const second = after.slice(index, index + 10);
    const answered = second.reduce((sum, { ok }) => sum + ok, 0) / second.length;
    return (
      (second[0]?.ok ?? 0) >= 0.9 * usual &&
      answered >= 0.95 * usual &&
      second.every(({ failed }) => failed <= usual / 20)
    );
  });
  return at === -1 ? Number.POSITIVE_INFINITY : (after[at]?.atMs ?? 0) - BACK_MS;
}

/** A call is tried again after half a second, as often as it takes: what is often written, and never spread. */
export const fixedInterval: StackFactory = ({ nodes, clock }) =>
  policy("fixed", async (operation, next) => {
    for (;;) {
      try {
        return await next(operation);
      } catch (error) {
        if (clock.now() + 500 >= operation.deadline) throw error;
        await new Promise<void>((resolve) => void clock.setTimer(500, resolve));
      }
    }
  })(nodes.primary);
