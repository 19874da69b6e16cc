/**
 * The live view as lines of at most 79 columns: what is shown, not how it gets to the terminal.
 */
import { ms, percentile, seconds } from "./numbers.ts";
import type { Paint } from "./paint.ts";
import type { Scene } from "./scene.ts";
import { type Side, SIDES } from "./schema.ts";

const LABEL = 15;
const COLUMN = 32;
const BAR = 50;
/** Seconds in a sparkline. */
const HISTORY = 30;
const HAPPENINGS = 4;
const STEPS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;
/** Successful calls per second that fill the sparkline's height. */
const FULL = 220;

export function frame(scene: Scene, paint: Paint): string[] {
  return [...head(scene, paint), "", ...sides(scene, paint), "", ...nodes(scene, paint), "", ...tail(scene, paint)];
}

function head(scene: Scene, paint: Paint): string[] {
  const { phase, phaseIndex, phases, doneMs, lengthMs, seed } = scene;
  const filled = Math.round((doneMs / lengthMs) * BAR);
  const bar = `${"█".repeat(filled)}${"░".repeat(BAR - filled)}`;
  return [
    `${paint.bold("Breakwater demo")}  ${paint.dim(`seed ${seed}`)}`,
    `${bar} ${seconds(doneMs)} of ${seconds(lengthMs)} s`,
    `${phaseIndex + 1}/${phases.length} ${paint.bold(phase?.name ?? "")}: ${phase?.text ?? ""}`,
  ];
}

function sides(scene: Scene, paint: Paint): string[] {
  const last = Math.floor(scene.now() / 1_000) - 1;
  const row = (label: string, cell: (side: Side) => string, colour: (side: Side) => (text: string) => string): string =>
    label.padEnd(LABEL) + SIDES.map((side) => colour(side)(cell(side).padEnd(COLUMN))).join("");
  const second = (side: Side): ReturnType<Scene["records"][Side]["second"]> => scene.records[side].second(last);
  const plain = (): ((text: string) => string) => String;
  const totals = (side: Side): Scene["records"][Side]["totals"] => scene.records[side].totals;
  const failed = (side: Side): number => totals(side).failedReads + totals(side).failedWrites;
  return [
    row(
      "",
      (side) => (side === "today" ? "pg.Pool + retry" : "breakwater()"),
      () => paint.bold,
    ),
    row(
      "successes",
      (side) => sparkline(scene.records[side].seconds, last),
      () => paint.green,
    ),
    row("ok /s", (side) => `${second(side).ok}`, plain),
    row(
      "failed /s",
      (side) => `${second(side).failed}`,
      (side) => (second(side).failed > 0 ? paint.red : String),
    ),
    row(
      "unknown /s",
      (side) => `${second(side).unknown}`,
      (side) => (second(side).unknown > 0 ? paint.yellow : String),
    ),
    row("p50 / p99", (side) => latency(second(side).latencies), plain),
    row("ok in all", (side) => `${totals(side).ok}`, plain),
    row(
      "failed in all",
      (side) => `${failed(side)}`,
      (side) => (failed(side) > 0 ? paint.red : String),
    ),
    row("unknown", (side) => `${totals(side).unknown}`, plain),
    row("under way", (side) => `${scene.records[side].pending}`, plain),
  ];
}

function latency(latencies: readonly number[]): string {
  return `${ms(percentile(latencies, 0.5))} / ${ms(percentile(latencies, 0.99))} ms`;
}

/** The last seconds that are complete. */
function sparkline(all: readonly { readonly ok: number }[], last: number): string {
  const first = Math.max(0, last - HISTORY + 1);
  return Array.from({ length: Math.max(0, last + 1 - first) }, (_, index) => {
    const share = Math.min(1, (all[first + index]?.ok ?? 0) / FULL);
    return share === 0 ? " " : (STEPS[Math.floor(share * (STEPS.length - 1))] ?? " ");
  }).join("");
}

function nodes(scene: Scene, paint: Paint): string[] {
  const seen = scene.right.nodes();
  const lines = scene.cluster.nodes.map((node, index) => {
    const router = seen[index];
    const state = `${node.role}, ${node.state}`.padEnd(COLUMN);
    const thought = `${router?.role ?? "unknown"}, ${router?.state ?? "unknown"}`.padEnd(COLUMN);
    return (
      node.name.padEnd(LABEL) +
      (node.state === "running" ? state : paint.red(state)) +
      (router?.state === "up" ? thought : paint.yellow(thought))
    );
  });
  const titles = `${"".padEnd(LABEL)}${"the server is".padEnd(COLUMN)}${"breakwater()'s router says".padEnd(COLUMN)}`;
  return [paint.bold(titles), ...lines];
}

function tail(scene: Scene, paint: Paint): string[] {
  const recent = scene.happenings.slice(-HAPPENINGS);
  return Array.from({ length: HAPPENINGS }, (_, index) => {
    const happening = recent[index];
    if (happening === undefined) return "";
    return paint.dim(`${seconds(happening.atMs).padStart(6)} s  ${happening.text}`.slice(0, 79));
  });
}
