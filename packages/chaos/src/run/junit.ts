/** Runs as a JUnit report, as CI servers read it. */
import { onlyKnown } from "../check.ts";
import type { RunRecord } from "./record.ts";

/** Violations that a failure shows. */
const MAX_SHOWN = 20;

/** What is told besides the runs. */
export interface JunitOptions {
  /** What kept the other runs from being made; told as an error, since whoever reads the file sees no exit code. @default nothing */
  readonly problem?: string;
}

/**
 * Writes `records` as JUnit does: one test suite for each scenario, with one test case for each run.
 *
 * @throws RangeError for an unknown option.
 */
export function junitXml(records: readonly RunRecord[], options: JunitOptions = {}): string {
  onlyKnown("junitXml", options, ["problem"]);
  const { problem } = options;
  const scenarios = [...new Set(records.map(({ scenario }) => scenario))];
  const suites = scenarios.map((name) =>
    suite(
      name,
      records.filter(({ scenario }) => scenario === name),
    ),
  );
  const totals = counts(records);
  if (problem !== undefined) {
    suites.push(unfinished(problem));
    totals.tests += 1;
    totals.errors += 1;
  }
  const root = element("testsuites", { name: "breakwater chaos", ...totals }, suites);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${root}\n`;
}

/** A suite of its own for the runs that were not made. */
function unfinished(problem: string): string {
  const error = element("error", { message: problem, type: "broken" }, []);
  const time = "0.000";
  const test = element("testcase", { name: "all runs were made", classname: "breakwater chaos", time }, [error]);
  const attributes = { name: "breakwater chaos", tests: 1, failures: 0, errors: 1, skipped: 0, time };
  return element("testsuite", attributes, [test]);
}

interface Counts extends Record<string, string | number> {
  tests: number;
  errors: number;
}

function suite(name: string, records: readonly RunRecord[]): string {
  const [first] = records;
  const attributes = { name, ...counts(records), timestamp: (first?.startedAt ?? "").replace(/\.\d+Z$/, "") };
  return element("testsuite", attributes, records.map(testCase));
}

function counts(records: readonly RunRecord[]): Counts {
  const having = (verdict: RunRecord["verdict"]): number => records.filter((one) => one.verdict === verdict).length;
  const time = records.reduce((sum, one) => sum + secondsOf(one), 0);
  return {
    tests: records.length,
    failures: having("violated"),
    errors: having("broken"),
    skipped: 0,
    time: time.toFixed(3),
  };
}

function testCase(record: RunRecord): string {
  const { scenario, subject, seed, verdict, violations, violationCounts, problem } = record;
  const attributes = { name: `${subject}, seed ${seed}`, classname: scenario, time: secondsOf(record).toFixed(3) };
  const children: string[] = [];
  if (verdict === "violated") {
    const message = Object.entries(violationCounts)
      .map(([kind, count]) => `${count} × ${kind}`)
      .join(", ");
    const shown = violations.slice(0, MAX_SHOWN).map((one) => `${one.kind}: ${one.message}`);
    const more = violations.length > MAX_SHOWN ? [`and ${violations.length - MAX_SHOWN} more`] : [];
    children.push(
      element("failure", { message, type: violations[0]?.kind ?? "violation" }, [...shown, ...more].map(escaped)),
    );
  }
  if (verdict === "broken") children.push(element("error", { message: problem ?? "", type: "broken" }, []));
  const { ok, failed, unknown } = record.totals;
  const counted = `seed ${seed}; ${ok} calls ok, ${failed} failed, ${unknown} unknown`;
  children.push(element("system-out", {}, [escaped(counted)]));
  return element("testcase", attributes, children);
}

function secondsOf({ durationMs, setupMs }: RunRecord): number {
  return (durationMs + setupMs) / 1_000;
}

function element(name: string, attributes: Record<string, string | number>, children: readonly string[]): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(String(value))}"`);
  const open = `<${name}${written.join("")}`;
  return children.length === 0 ? `${open}/>` : `${open}>\n${children.join("\n")}\n</${name}>`;
}

/** As text and as the value of an attribute. What XML 1.0 has no place for, control characters and halves of pairs, becomes U+FFFD. */
function escaped(text: string): string {
  return (
    text
      .toWellFormed()
      // oxlint-disable-next-line no-control-regex -- these are what XML cannot hold
      .replaceAll(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, "\uFFFD")
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
      .replaceAll("'", "&apos;")
      // Readers make spaces of line ends in attributes.
      .replaceAll("\r", "&#13;")
      .replaceAll("\n", "&#10;")
      .replaceAll("\t", "&#9;")
  );
}
