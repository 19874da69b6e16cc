/** Tables and pictures of what was measured. */
import { writeFileSync } from "node:fs";
import type { Curve } from "./curves.ts";
import type { Figure, Row, Table } from "./measure.ts";

export interface Data {
  readonly server: string;
  readonly node: string;
  readonly tables: readonly Table[];
  readonly bulk: Figure | undefined;
  /** The others' p99 beside a slow statement, against that without it. */
  readonly slow: Figure | undefined;
  /** Measured in few and short slices. */
  readonly short: boolean;
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
  const lines = rows.map((row) => `| ${cells(row).join(" | ")} |`);
  const title = `${TITLES[name] ?? name}, ${callers} ${callers === 1 ? "caller" : "callers"}`;
  return [
    `### ${title}`,
    "",
    "| client | calls per second | spread | client CPU | server CPU | p99 | p99, ms |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...lines,
    "",
  ].join("\n");
}

function cells({ client, ratios, p99 }: Row): string[] {
  const times = ({ median }: Figure): string => (Number.isNaN(median) ? "" : `${median.toFixed(2)} ×`);
  const { perSecond, clientCpu, serverCpu, p99: slowest } = ratios;
  const spread = `± ${(perSecond.spread / 2).toFixed(2)}`;
  return [client, times(perSecond), spread, times(clientCpu), times(serverCpu), times(slowest), p99.toFixed(2)];
}

/** The page of the documentation; pictures are written beside it. */
export function page({ server, node, tables, bulk, slow, short, curves }: Data, docs: URL): string {
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
    ...tables.map(table),
    ...(bulk === undefined
      ? []
      : [
          "### 10,000 rows",
          "",
          `\`executeMany\`: ${bulk.median.toFixed(1)} × one statement for each in a transaction.`,
          "",
        ]),
    ...(slow === undefined
      ? []
      : [
          "### A slow statement among quick ones",
          "",
          `p99 of 16 callers' reads by key, beside a statement of 1 s: ${slow.median.toFixed(2)} × that without it.`,
          "",
        ]),
    ...(pictures.length === 0 ? [] : ["### By callers and round-trip time", "", ...pictures, ""]),
  ].join("\n");
}

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [640, 320, 60, 40];
const COLOURS = ["#888888", "#1f6feb", "#2da44e", "#bf3989", "#bc4c00"];

/** Lines over a logarithmic axis of callers. */
function picture({ title, lines }: Curve): string {
  const callers = lines[0]?.points.map(([at]) => at) ?? [];
  const most = Math.max(...lines.flatMap(({ points }) => points.map(([, perSecond]) => perSecond)));
  const x = (at: number): number => LEFT + (Math.log2(at) / Math.log2(Math.max(2, ...callers))) * (WIDTH - LEFT - 150);
  const y = (perSecond: number): number => HEIGHT - BOTTOM - (perSecond / most) * (HEIGHT - BOTTOM - 40);
  const drawn = lines.flatMap(({ name, points }, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const path = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    const [lastAt, lastValue] = points.at(-1) ?? [1, 0];
    return [
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<text x="${x(lastAt) + 6}" y="${y(lastValue) + 4 + index}" fill="${colour}" font-size="11">${name}</text>`,
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
