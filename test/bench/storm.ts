/**
 * A thousand processes of a hundred callers each through a hang, a crash and the return of their only primary, in the
 * simulator. Draws docs/overload-storm.svg.
 *
 *     node test/bench/storm.ts [processes]
 */
import { preset } from "../overload/stacks.ts";
import { BACK_MS, CRASH_MS, fixedInterval, HANG_MS, STEP_MS, storm, type StormFigures } from "../overload/storm.ts";
import { type Line, writeCharts } from "./chart.ts";

const processes = Number(process.argv[2] ?? 1_000);
const results: [string, StormFigures][] = [];
for (const [name, stack] of [["retry every 500 ms", fixedInterval] as const, ["Breakwater", preset()] as const]) {
  const before = process.cpuUsage();
  const figures = await storm({ stack, processes, callers: 100 });
  const { user, system } = process.cpuUsage(before);
  const { points: _, ...rest } = figures;
  console.log(name, rest, `${((user + system) / 1e6).toFixed(1)} s of processor time`);
  results.push([name, figures]);
}

type Counted = "connects" | "sent" | "ok";
const perSecond = (of: Counted): Line[] =>
  results.map(([name, { points }]) => ({
    name,
    points: points
      .filter(({ atMs }) => atMs >= 6_000 && atMs < 22_000)
      .map((point) => [point.atMs / 1_000, (point[of] * 1_000) / STEP_MS] as const),
  }));
const spans = [
  { from: HANG_MS / 1_000, to: CRASH_MS / 1_000, name: "hangs" },
  { from: CRASH_MS / 1_000, to: BACK_MS / 1_000, name: "is dead" },
];
const common = { x: "seconds", y: "per second", spans };
writeCharts("overload-storm.svg", [
  {
    ...common,
    title: `Attempts to connect, ${processes} processes of 100 callers`,
    description:
      "With retries at a fixed interval all processes connect at once, twice a second; with Breakwater hardly any does.",
    lines: perSecond("connects"),
  },
  {
    ...common,
    title: "Calls sent to the pools of the primary",
    description:
      "With retries at a fixed interval they come in waves; with Breakwater none is sent while the primary is away.",
    lines: perSecond("sent"),
  },
  {
    ...common,
    title: "Calls answered",
    description: "Both are back at once when the primary is.",
    lines: perSecond("ok"),
  },
]);
