/** Throughput and latencies, from the history of a run. */
import type { HistoryOperation } from "../history/operation.ts";
import type { CallAccess, Latencies, RunError, RunSample } from "./record.ts";
import { accessOf } from "./sql.ts";

const SAMPLE_MS = 200;

type ByAccess<T> = Partial<Record<CallAccess, T>>;

/** One sample for each 200 ms. @param originMs when the load began, by the history's clock. */
export function samplesOf(operations: readonly HistoryOperation[], originMs: number, durationMs: number): RunSample[] {
  const count = Math.max(1, Math.ceil(durationMs / SAMPLE_MS));
  const samples = Array.from({ length: count }, (_, at) => ({
    atMs: at * SAMPLE_MS,
    ok: 0,
    failed: 0,
    unknown: 0,
    running: 0,
    times: {} as ByAccess<number[]>,
  }));
  const slot = (ms: number): number => Math.min(count - 1, Math.max(0, Math.floor((ms - originMs) / SAMPLE_MS)));
  /** Calls that began in each sample, less those that ended. */
  const change = samples.map(() => 0);
  for (const operation of operations) {
    const began = slot(operation.invokedMs);
    change[began] = (change[began] ?? 0) + 1;
    if (operation.completedMs === undefined) continue;
    const ended = slot(operation.completedMs);
    change[ended] = (change[ended] ?? 0) - 1;
    const sample = samples[ended];
    if (sample === undefined) continue;
    if (operation.outcome === "ok") sample.ok += 1;
    else if (operation.outcome === "fail") sample.failed += 1;
    else sample.unknown += 1;
    add(sample.times, operation);
  }
  let running = 0;
  return samples.map(({ times, ...sample }, at) => {
    running += change[at] ?? 0;
    return { ...sample, running, latencies: summed(times) };
  });
}

/** Over all operations. */
export function latenciesOf(operations: readonly HistoryOperation[]): ByAccess<Latencies> {
  const times: ByAccess<number[]> = {};
  for (const operation of operations) add(times, operation);
  return summed(times);
}

/** Errors by their code, the most frequent first. */
export function errorsOf(operations: readonly HistoryOperation[]): RunError[] {
  const errors = new Map<string, { code: string; count: number; example: string }>();
  for (const { error } of operations) {
    if (error === undefined) continue;
    // As `describeError` wrote it: a code before the message where there was one.
    const code = /^(\w+): /.exec(error)?.[1] ?? error.slice(0, 80);
    const known = errors.get(code);
    if (known === undefined) errors.set(code, { code, count: 1, example: error });
    else known.count += 1;
  }
  return [...errors.values()].toSorted((a, b) => b.count - a.count);
}

function add(times: ByAccess<number[]>, { action, completedMs, invokedMs }: HistoryOperation): void {
  const access = accessOf[action.kind];
  if (access === undefined || completedMs === undefined) return;
  (times[access] ??= []).push(completedMs - invokedMs);
}

function summed(times: ByAccess<number[]>): ByAccess<Latencies> {
  return Object.fromEntries(
    Object.entries(times).map(([access, all]) => {
      const sorted = all.toSorted((a, b) => a - b);
      const at = (share: number): number => round(sorted[Math.ceil(sorted.length * share) - 1] ?? 0);
      return [access, { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }];
    }),
  );
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
