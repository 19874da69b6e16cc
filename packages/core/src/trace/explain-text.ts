/**
 * The record of a call as text for people.
 */
import type { CallRecord } from "./explain.ts";

/** The record of a call, a line for each thing that happened, in the order of time. */
export function explainText(record: CallRecord): string {
  const { kind, access, consistency, label, attempts, outcome, times } = record;
  const said = record.accessSaid ? "as the caller said" : "by its text";
  const how = outcome.status === "ok" ? "ok" : `${outcome.name}${codeOf(outcome.code)}: ${outcome.reason}`;
  const name = label === undefined ? "" : ` "${label}"`;
  const spent = Object.entries(times).map(([what, ms]) => `${what} ${shown(ms)}`);
  const head = [
    `${kind}${name} on "${record.pool}": ${how}, in ${shown(record.tookMs)}`,
    `  ${access} (${said}), consistency ${consistency}, ${attempts} ${attempts === 1 ? "attempt" : "attempts"}`,
    `  layers: ${record.layers.join(" > ")}`,
    ...(record.nodes.length === 0 ? [] : [`  nodes: ${record.nodes.join(", then ")}`]),
    `  time: ${spent.join(", ")}`,
  ];
  const left = record.dropped === 0 ? [] : [`  … and ${record.dropped} more that were not kept`];
  return [...head, ...linesOf(record), ...left].join("\n");
}

function linesOf({ notes, passes, waits }: CallRecord): string[] {
  const lines = [
    ...passes.map(({ atMs, layer, pool, attempt, tookMs, failed }) => {
      const took = tookMs === undefined ? "not ended" : shown(tookMs);
      const again = attempt === 1 ? "" : `, attempt ${attempt}`;
      return {
        atMs,
        text: `${layer}: through "${pool}"${again} (${took})${failed === undefined ? "" : `, ${failed}`}`,
      };
    }),
    ...waits.map((wait) => ({ atMs: wait.atMs, text: `${wait.layer}: waits for ${wait.for} (${shown(wait.tookMs)})` })),
    ...notes.map(({ atMs, layer, what, details }) => ({ atMs, text: `${layer}: ${what}${listed(details)}` })),
  ];
  // The sort is stable: of what happened at one moment, the way through a layer stands before what it decided.
  return lines.toSorted((a, b) => a.atMs - b.atMs).map(({ atMs, text }) => `  ${shown(atMs).padStart(10)}  ${text}`);
}

function listed(details: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(details).filter(([, value]) => value !== undefined && !isEmpty(value));
  return entries.length === 0 ? "" : `, ${entries.map(([name, value]) => `${name} ${plain(value)}`).join(", ")}`;
}

function plain(value: unknown): string {
  if (typeof value === "number") return String(Math.round(value * 1_000) / 1_000);
  if (Array.isArray(value) && value.some((each) => typeof each === "object")) {
    return `(${value.map((each: object) => listed({ ...each }).slice(2)).join("; ")})`;
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function codeOf(code: string | undefined): string {
  return code === undefined ? "" : ` ${code}`;
}

function shown(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 2 : 0)} ms`;
}
