/** Tables and pictures of what was measured. */
import { writeFileSync } from "node:fs";
import { HOW_TO_MEASURE_AWS } from "./aws.ts";
import type { BulkRow } from "./bulk.ts";
import { AWS, FLOOR } from "./clients.ts";
import type { Curve, Transactions } from "./curves.ts";
import type { Figure, Row, Table } from "./measure.ts";

export interface Data {
  readonly server: string;
  readonly node: string;
  /** Measured in few and short slices. */
  readonly short: boolean;
  readonly tables: readonly Table[];
  readonly bulk: readonly BulkRow[] | undefined;
  /** The others' p99 beside a slow statement, against that without it. */
  readonly slow: Figure | undefined;
  readonly transactions: readonly Transactions[];
  readonly curves: readonly Curve[];
}

const TITLES: Readonly<Record<string, string>> = {
  point: "One row by its key",
  one: "`SELECT 1`",
  range: "100 rows",
  write: "BEGIN, two updates, COMMIT",
};

/** One case as a table. */
export function table({ name, callers, rows }: Table): string {
  const title = `${TITLES[name] ?? name}, ${callers} ${callers === 1 ? "caller" : "callers"}`;
  const columns = [
    "client",
    "calls per second",
    "spread",
    "× postgres.js",
    "client CPU",
    "server CPU",
    "p99",
    "p99, ms",
  ];
  return [`### ${title}`, "", ...aligned([columns, ...rows.map(cells)]), ""].join("\n");
}

function cells({ client, ratios, toPostgresJs, p99Ratio, p99 }: Row): string[] {
  const { perSecond, clientCpu, serverCpu } = ratios;
  const measured = [times(perSecond), spread(perSecond), times(toPostgresJs), times(clientCpu), times(serverCpu)];
  return [client, ...measured, `${p99Ratio.toFixed(2)} ×`, p99.toFixed(2)];
}

/** Each way to insert many rows. */
export function bulkTable(rows: readonly BulkRow[]): string {
  return [
    "### 10,000 rows",
    "",
    "Rows of a number and a short text. Relative to one statement for each row, in one transaction.",
    "",
    ...aligned([
      ["way", "rows per second", "spread", "ms"],
      ...rows.map(({ way, ratio, ms }) => [way, times(ratio), spread(ratio), ms.toFixed(0)]),
    ]),
    "",
  ].join("\n");
}

/** A transaction over connections with a round-trip time. */
export function transactionTable(found: readonly Transactions[]): string {
  const rows = (found[0]?.rows ?? []).map(({ client }) => {
    const each = found.map(({ rows: measured }) => measured.find((row) => row.client === client));
    return [client, ...each.map((row) => (row === undefined ? "" : `${inMs(row.ms)}, ${times(row.ratio)}`))];
  });
  return [
    "### BEGIN, two updates, COMMIT, 1 caller, by round-trip time",
    "",
    "How long one transaction takes, and how many of them there are in the same time, relative to `pg.Pool`.",
    "",
    ...aligned([
      ["client", ...found.map(({ roundTripMs }) => `${roundTripMs} ms`)],
      ["a round trip, as measured", ...found.map(({ measuredMs }) => inMs(measuredMs))],
      ...rows,
    ]),
    "",
  ].join("\n");
}

/** What a slow statement does to others. */
export function slowLine(slow: Figure): string {
  const { median } = slow;
  return `p99 of 16 callers' reads by key, beside a statement of 1 s: ${median.toFixed(2)} × (${spread(slow)}) that without it.`;
}

/** A table as the formatter of this project would write it; the first row is its head. */
function aligned([columns = [], ...rows]: readonly (readonly string[])[]): string[] {
  const widths = columns.map((_, at) => Math.max(3, ...[columns, ...rows].map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, at) => (row[at] ?? "").padEnd(width)).join(" | ")} |`;
  return [line(columns), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)];
}

function times({ median }: Figure): string {
  return Number.isNaN(median) ? "" : `${median.toFixed(2)} ×`;
}

function inMs(ms: number): string {
  return `${ms.toFixed(ms < 1 ? 2 : 1)} ms`;
}

function spread(figure: Figure): string {
  return `± ${(figure.spread / 2).toFixed(2)}`;
}

/** The page of the documentation; pictures are written beside it. */
export function page({ server, node, short, tables, bulk, slow, transactions, curves }: Data, docs: URL): string {
  const clients = new Set(tables.flatMap(({ rows }) => rows.map(({ client }) => client)));
  const pictures = curves.map((curve, index) => {
    const file = `benchmarks-${index + 1}.svg`;
    writeFileSync(new URL(file, docs), picture(curve));
    return `![${curve.title}](${file})`;
  });
  return [
    "# Benchmarks",
    "",
    "Every figure is a ratio to bare `pg.Pool` in the same run: slices of load in turn, the median over the rounds. Ten",
    `connections each, PostgreSQL ${server} on loopback, Node ${node}. More calls per second are better; of the others less is.`,
    "`pnpm bench` measures here and now; `pnpm bench --write` brings this page up to date.",
    ...(short
      ? [
          "This was the short form, on a machine that had other work: one caller's figures, the spread and p99 are rough.",
        ]
      : []),
    "",
    `The ${FLOOR} is a throw-away client that prepares every statement at its start and looks at nothing of an answer but its`,
    "end: how near others come to it is how near they are to what the round trips alone cost. p99 is that of all rounds'",
    "calls; on a machine of two processors it is often one tick of the system's, 4 ms, for which a process had to wait.",
    ...(clients.has(AWS) ? [] : [`AWS's wrapper was left out here. To measure it: ${HOW_TO_MEASURE_AWS}.`]),
    "",
    ...tables.map(table),
    ...(transactions.length === 0 ? [] : [transactionTable(transactions)]),
    ...(bulk === undefined ? [] : [bulkTable(bulk)]),
    ...(slow === undefined ? [] : ["### A slow statement among quick ones", "", slowLine(slow), ""]),
    ...(pictures.length === 0 ? [] : ["### By callers and round-trip time", "", ...pictures, ""]),
  ].join("\n");
}

/** The data as JSON that a person can compare: a line for each row, no more digits than mean something. */
export function dataText(data: Data): string {
  return `${jsonLines(data, 0)}\n`;
}

function jsonLines(value: unknown, depth: number): string {
  const short = JSON.stringify(value, (_, one: unknown) =>
    typeof one === "number" ? Number(one.toPrecision(4)) : one,
  );
  if (depth >= 4 || !short.includes("[")) return short;
  const indent = "\n".padEnd(depth + 2);
  const end = "\n".padEnd(depth + 1);
  if (Array.isArray(value))
    return `[${indent}${value.map((one) => jsonLines(one, depth + 1)).join(`,${indent}`)}${end}]`;
  const entries = Object.entries(value as object).filter(([, one]) => one !== undefined);
  const made = entries.map(([key, one]) => `${JSON.stringify(key)}: ${jsonLines(one, depth + 1)}`);
  return `{${indent}${made.join(`,${indent}`)}${end}}`;
}

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [640, 320, 60, 40];
const COLOURS = ["#888888", "#1f6feb", "#2da44e", "#bf3989", "#bc4c00"];

/** Lines over a logarithmic axis of callers. */
function picture({ title, lines }: Curve): string {
  const callers = lines[0]?.points.map(([at]) => at) ?? [];
  const most = Math.max(...lines.flatMap(({ points }) => points.map(([, perSecond]) => perSecond)));
  const x = (at: number): number => LEFT + (Math.log2(at) / Math.log2(Math.max(2, ...callers))) * (WIDTH - LEFT - 150);
  const y = (perSecond: number): number => HEIGHT - BOTTOM - (perSecond / most) * (HEIGHT - BOTTOM - 40);
  const labels = apart(lines.map(({ points }) => y(points.at(-1)?.[1] ?? 0)));
  const drawn = lines.flatMap(({ name, points }, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const path = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    return [
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<text x="${WIDTH - 146}" y="${(labels[index] ?? 0) + 4}" fill="${colour}" font-size="11">${name}</text>`,
    ];
  });
  const ticks = callers.map((at) => `<text x="${x(at)}" y="${HEIGHT - 20}" font-size="11">${at}</text>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    `<text x="${LEFT}" y="22" font-size="14">${title}: calls per second by callers (at most ${Math.round(most)})</text>`,
    `<line x1="${LEFT}" y1="${y(0)}" x2="${WIDTH - 150}" y2="${y(0)}" stroke="black"/>`,
    ...drawn,
    ...ticks,
    "</svg>",
    "",
  ].join("\n");
}

/** Moves what would lie on one another downwards, in its order. */
function apart(places: readonly number[]): number[] {
  const moved = [...places];
  let lowest = Number.NEGATIVE_INFINITY;
  for (const index of places.map((_, at) => at).toSorted((a, b) => places[a]! - places[b]!)) {
    lowest = moved[index] = Math.max(places[index]!, lowest + 13);
  }
  return moved;
}
