/** Line charts as SVG that can be read on light and on dark pages, by hand: no library draws fewer bytes. */
import { writeFileSync } from "node:fs";

/** One line of a chart. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  readonly title: string;
  /** What is to be seen, in a sentence, for those who do not see it. */
  readonly description: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
  /** Stretches of x that stand out, each with a word. */
  readonly spans?: readonly { readonly from: number; readonly to: number; readonly name: string }[];
  /** Powers of ten on both axes. @default false */
  readonly logarithmic?: boolean;
}

const WIDTH = 760;
const HEIGHT = 240;
const LEFT = 70;
const RIGHT = 20;
const TOP = 48;
const BOTTOM = 44;
const COLOURS = 4;

const STYLE = `
    text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #17324d; }
    .title { font-weight: 600; } .note { font-size: 12px; fill: #5d6d7e; }
    .axis { stroke: #8492a2; fill: none; } .grid { stroke: #8492a2; stroke-opacity: 0.25; }
    .span { fill: #c0392b; fill-opacity: 0.1; } .line { fill: none; stroke-width: 1.6; }
    .c0 { stroke: #b4442f; } .c1 { stroke: #2b6cb0; } .c2 { stroke: #2f855a; } .c3 { stroke: #8a5a00; }
    text.c0 { fill: #b4442f; stroke: none; } text.c1 { fill: #2b6cb0; stroke: none; }
    text.c2 { fill: #2f855a; stroke: none; } text.c3 { fill: #8a5a00; stroke: none; }
    @media (prefers-color-scheme: dark) {
      text { fill: #dbe9f7; } .note { fill: #9fb0c2; } .span { fill: #ff8a75; fill-opacity: 0.14; }
      .c0 { stroke: #ff8a75; } .c1 { stroke: #7fb5ee; } .c2 { stroke: #7ccf9b; } .c3 { stroke: #e0b252; }
      text.c0 { fill: #ff8a75; } text.c1 { fill: #7fb5ee; } text.c2 { fill: #7ccf9b; } text.c3 { fill: #e0b252; }
    }`;

/** Writes charts, one below the other, into one picture of the docs. */
export function writeCharts(name: string, charts: readonly Chart[]): void {
  const height = charts.length * HEIGHT;
  const drawn = charts.map((chart, index) => `<g transform="translate(0 ${index * HEIGHT})">${draw(chart)}</g>`);
  const title = charts.map((chart) => chart.title).join("; ");
  const description = charts.map((chart) => chart.description).join(" ");
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title description">`;
  const parts = [
    head,
    `<title id="title">${escape(title)}</title>`,
    `<desc id="description">${escape(description)}</desc>`,
  ];
  const svg = [...parts, `<style>${STYLE}\n</style>`, ...drawn, "</svg>", ""].join("\n");
  writeFileSync(new URL(`../../docs/${name}`, import.meta.url), svg);
}

function draw({ title, x, y, lines, spans = [], logarithmic = false }: Chart): string {
  const all = lines.flatMap(({ points }) => points);
  const xs = scale(
    all.map(([at]) => at),
    LEFT,
    WIDTH - RIGHT,
    logarithmic,
  );
  const ys = scale([...all.map(([, value]) => value), ...(logarithmic ? [] : [0])], HEIGHT - BOTTOM, TOP, logarithmic);
  const parts = [`<text class="title" x="${LEFT}" y="18">${escape(title)}</text>`];
  let left = LEFT;
  for (const [index, { name }] of lines.entries()) {
    parts.push(`<text class="c${index % COLOURS}" x="${left}" y="37">${escape(name)}</text>`);
    left += 24 + 7 * name.length;
  }
  for (const { from, to, name } of spans) {
    const width = xs.place(to) - xs.place(from);
    parts.push(
      `<rect class="span" x="${xs.place(from)}" y="${TOP}" width="${round(width)}" height="${HEIGHT - BOTTOM - TOP}"/>`,
    );
    parts.push(`<text class="note" x="${xs.place(from) + 4}" y="${TOP + 14}">${escape(name)}</text>`);
  }
  for (const tick of ys.ticks) {
    const at = ys.place(tick);
    parts.push(`<path class="grid" d="M${LEFT} ${at}H${WIDTH - RIGHT}"/>`);
    parts.push(`<text class="note" text-anchor="end" x="${LEFT - 6}" y="${at + 4}">${short(tick)}</text>`);
  }
  for (const tick of xs.ticks) {
    parts.push(
      `<text class="note" text-anchor="middle" x="${xs.place(tick)}" y="${HEIGHT - BOTTOM + 16}">${short(tick)}</text>`,
    );
  }
  parts.push(`<path class="axis" d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}"/>`);
  parts.push(
    `<text class="note" text-anchor="end" x="${WIDTH - RIGHT}" y="${HEIGHT - BOTTOM + 33}">${escape(x)}</text>`,
  );
  parts.push(`<text class="note" x="4" y="${TOP - 4}">${escape(y)}</text>`);
  for (const [index, { points }] of lines.entries()) {
    const path = points.map(([at, value]) => `${xs.place(at)} ${ys.place(value)}`).join("L");
    parts.push(`<path class="line c${index % COLOURS}" d="M${path}"/>`);
  }
  return parts.join("\n");
}

interface Scale {
  readonly place: (value: number) => number;
  readonly ticks: readonly number[];
}

function scale(values: readonly number[], from: number, to: number, logarithmic: boolean): Scale {
  const of = (value: number): number => (logarithmic ? Math.log10(Math.max(value, 1e-9)) : value);
  let low = of(Math.min(...values));
  let high = of(Math.max(...values));
  if (logarithmic) [low, high] = [Math.floor(low), Math.ceil(high)];
  if (high === low) high = low + 1;
  const step = logarithmic ? 1 : niceStep((high - low) / 5);
  const ticks: number[] = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1_000; at += step)
    ticks.push(logarithmic ? 10 ** at : at);
  return { place: (value) => round(from + ((of(value) - low) / (high - low)) * (to - from)), ticks };
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power;
}

function short(value: number): string {
  return value >= 1_000 ? `${round(value / 1_000)}k` : String(Number(value.toPrecision(3)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
