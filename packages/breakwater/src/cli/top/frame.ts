/** One picture of what a status endpoint said, in lines no wider than the terminal. Pure. */
import type { DatabaseReport, EventReport, NodeReport, StatusReport } from "../../status/report.ts";
import { harmless } from "../harmless.ts";
import { cells, cut, fit, type Look, type Paint } from "./text.ts";

/** How it is to be drawn. */
export interface FrameOptions {
  /** Cells of a line; from 40. */
  readonly width: number;
  /** Lines that there are room for; undefined for as many as there are. */
  readonly height?: number;
  readonly paint: Paint;
  readonly address: string;
  /** What is to be said beside it, such as that there is no answer. */
  readonly note?: string;
  /** Most events of each database, where there is room for any number of lines. */
  readonly events: number;
}

const MIN_WIDTH = 40;
const MIN_NAME = 12;
const MAX_NAME = 44;
/** Cells of the bar of a pool. */
const BAR = 8;

interface Cell {
  readonly text: string;
  readonly look?: Look;
}

interface Column {
  readonly title: string;
  readonly width: number;
  readonly align?: "right";
  /** Those of a higher rank give way first. */
  readonly rank: number;
  readonly of: (node: NodeReport) => Cell;
}

// A map, since the words come from a server: no `constructor` is among them.
const GOOD: ReadonlyMap<string, Look> = new Map([
  ["ok", "green"],
  ["up", "green"],
  ["closed", "green"],
  ["primary", "bold"],
  ["degraded", "yellow"],
  ["down", "red"],
  ["open", "red"],
  ["half-open", "yellow"],
  ["isolated", "yellow"],
]);

const word = (text: string): Cell => {
  const look = GOOD.get(text);
  return look === undefined ? { text } : { text, look };
};

const COLUMNS: readonly Column[] = [
  { title: "ROLE", width: 7, rank: 1, of: ({ role }) => word(role) },
  { title: "STATE", width: 8, rank: 0, of: stateOf },
  { title: "BREAKER", width: 9, rank: 3, of: ({ breaker }) => word(breaker ?? "-") },
  { title: "LAG", width: 8, align: "right", rank: 4, of: ({ lag }) => ({ text: lag === null ? "-" : time(lag.ms) }) },
  { title: "POOL", width: BAR + 8, rank: 5, of: ({ pool }) => ({ text: `${bar(pool)} ${pool.active}/${pool.max}` }) },
  { title: "WAIT", width: 5, align: "right", rank: 7, of: waitingOf },
  {
    title: "CALLS/s",
    width: 8,
    align: "right",
    rank: 6,
    of: ({ recent }) => ({ text: figure(recent.callsPerSecond) }),
  },
  { title: "P50", width: 8, align: "right", rank: 8, of: ({ recent }) => ({ text: time(recent.latency.p50) }) },
  { title: "P95", width: 8, align: "right", rank: 2, of: ({ recent }) => ({ text: time(recent.latency.p95) }) },
  { title: "P99", width: 8, align: "right", rank: 9, of: ({ recent }) => ({ text: time(recent.latency.p99) }) },
  { title: "FAILED", width: 7, align: "right", rank: 10, of: failedOf },
];

/** The lines of one picture. */
export function frame(report: StatusReport | undefined, options: FrameOptions): string[] {
  const { paint, address, note } = options;
  const width = Math.max(MIN_WIDTH, Math.floor(options.width));
  const at = report === undefined ? "" : clock(report.time);
  const room = width - (at === "" ? 0 : at.length + 2);
  const lines = [`${paint("bold", fit(`breakwater  ${address}`, room))}${at === "" ? "" : `  ${at}`}`];
  if (note !== undefined) lines.push(paint("red", cut(note, width)));
  const parts = (report?.databases ?? []).map((database) => ({
    database,
    lines: databaseLines(database, width, paint),
  }));
  const left =
    options.height === undefined
      ? undefined
      : options.height - lines.length - parts.reduce((sum, part) => sum + part.lines.length + 1, 0);
  // What room is left is for events, the same for each database; a line of it for their heading.
  const most = left === undefined ? options.events : Math.max(0, Math.floor(left / Math.max(1, parts.length)) - 1);
  for (const { database, lines: own } of parts) {
    lines.push("", ...own);
    const shown = most === 0 ? [] : database.events.slice(-most);
    if (shown.length > 0) lines.push(paint("dim", fit("EVENTS", width).trimEnd()));
    lines.push(...shown.toReversed().map((event) => eventLine(event, width, paint)));
  }
  return options.height === undefined ? lines : lines.slice(0, options.height);
}

function databaseLines(database: DatabaseReport, width: number, paint: Paint): string[] {
  const { name, status, recent, pool, nodes, waitingForNode } = database;
  const title = `${paint("bold", cut(name, width - 10))} ${paint(GOOD.get(status), cut(status, 9))}`;
  const { p50, p95, p99 } = recent.latency;
  const facts = [
    `${figure(recent.callsPerSecond)} calls/s`,
    `${percent(recent.failed, recent.calls)} failed`,
    `p50 ${time(p50)} p95 ${time(p95)} p99 ${time(p99)}`,
    `${pool.active}/${pool.max} connections, ${pool.waiting} waiting`,
    ...(waitingForNode > 0 ? [`${waitingForNode} wait for a node`] : []),
  ];
  return [
    title,
    ...wrapped(facts, width),
    ...wrapped(database.stack, width, " > ").map((line) => paint("dim", line)),
    ...nodeTable(nodes, width, paint),
  ];
}

function nodeTable(nodes: readonly NodeReport[], width: number, paint: Paint): string[] {
  const columns = columnsFor(width);
  const used = columns.reduce((sum, column) => sum + column.width + 1, 0);
  const longest = Math.max(MIN_NAME, ...nodes.map(({ name }) => cells(name)));
  const name = Math.min(width - used, longest, MAX_NAME);
  const line = (first: string, cellOf: (column: Column) => Cell): string =>
    [
      fit(first, name),
      ...columns.map((column) => {
        const { text, look } = cellOf(column);
        return paint(look, fit(text, column.width, column.align));
      }),
    ].join(" ");
  return [
    paint(
      "dim",
      line("NODE", ({ title }) => ({ text: title })),
    ),
    ...nodes.map((node) => line(node.name, (column) => column.of(node))),
  ].map((each) => each.trimEnd());
}

/** As many columns as fit beside the name, the most telling ones, in their own order. */
function columnsFor(width: number): readonly Column[] {
  let room = width - MIN_NAME;
  const shown = new Set<Column>();
  for (const column of COLUMNS.toSorted((a, b) => a.rank - b.rank)) {
    if (column.width + 1 > room) break;
    room -= column.width + 1;
    shown.add(column);
  }
  return COLUMNS.filter((column) => shown.has(column));
}

/** Facts one after another, in as many lines as they need. */
function wrapped(facts: readonly string[], width: number, between = "  "): string[] {
  const lines: string[] = [];
  for (const fact of facts.map(harmless)) {
    const last = lines.at(-1);
    if (last !== undefined && cells(last) + between.length + cells(fact) <= width)
      lines[lines.length - 1] = last + between + fact;
    else lines.push(cut(fact, width));
  }
  return lines;
}

function eventLine({ time: at, level, name, text, times }: EventReport, width: number, paint: Paint): string {
  const look: Look | undefined = level === "error" ? "red" : level === "warn" ? "yellow" : undefined;
  const start = `${clock(at)} `;
  const shown = cut(times > 1 ? `${name} × ${times}` : name, width - start.length);
  const rest = width - start.length - cells(shown) - 2;
  return `${start}${paint(look, shown)}${rest > 3 ? `  ${cut(text, rest)}` : ""}`;
}

function stateOf({ state, drained, ejected, fenced, lagging, starting }: NodeReport): Cell {
  if (state === "down") return word(state);
  const said = { fenced, drained, ejected, lagging, starting };
  const found = Object.entries(said).find(([, isSo]) => isSo);
  return found === undefined ? word(state) : { text: found[0], look: found[0] === "fenced" ? "red" : "yellow" };
}

function waitingOf({ pool: { waiting } }: NodeReport): Cell {
  return waiting > 0 ? { text: String(waiting), look: "yellow" } : { text: "0" };
}

function failedOf({ recent: { failed, calls } }: NodeReport): Cell {
  return failed > 0 ? { text: percent(failed, calls), look: "red" } : { text: "0 %" };
}

function bar({ active, idle, max }: NodeReport["pool"]): string {
  const part = (count: number): number => (max > 0 ? Math.min(BAR, Math.ceil((count / max) * BAR)) : 0);
  const used = part(active);
  return "#"
    .repeat(used)
    .padEnd(part(active + idle), "-")
    .padEnd(BAR, ".");
}

function percent(part: number, whole: number): string {
  return `${figure(whole > 0 ? (part / whole) * 100 : 0)} %`;
}

function figure(value: number): string {
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

function time(ms: number): string {
  if (ms < 1_000) return `${ms < 10 ? ms.toFixed(ms < 1 ? 2 : 1) : Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

function clock(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? "--:--:--" : at.toTimeString().slice(0, 8);
}
