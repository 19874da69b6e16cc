/**
 * The table at the end: both sides next to each other.
 */
import { ms, seconds } from "./numbers.ts";
import type { Paint } from "./paint.ts";
import { keptPromise, type Verdict } from "./verdict.ts";

const WIDTHS = [40, 18, 18] as const;

type Row = readonly [name: string, of: (verdict: Verdict) => string, bad?: (verdict: Verdict) => boolean];

const ROWS: readonly Row[] = [
  ["calls", (v) => `${v.calls}`],
  ["ok", (v) => `${v.ok}`],
  ["failed reads", (v) => `${v.failedReads}`, (v) => v.failedReads > 0],
  ["failed writes", (v) => `${v.failedWrites}`],
  ["outcome unknown, and said so", (v) => `${v.unknown}`],
  ["  of these kept by the database", (v) => `${v.unknownKept}`],
  ["never answered", (v) => `${v.unanswered}`, (v) => v.unanswered > 0],
  ["acknowledged writes lost", (v) => `${v.lost}`, (v) => v.lost > 0],
  ["writes carried out twice", (v) => `${v.doubled}`, (v) => v.doubled > 0],
  ["reported failed, but carried out", (v) => `${v.wrong}`, (v) => v.wrong > 0],
  ["rows of no call", (v) => `${v.strange}`, (v) => v.strange > 0],
  ["sum of the accounts, expected", (v) => `${v.sumExpected}`],
  ["sum of the accounts, found", (v) => `${v.sumFound}`, (v) => v.sumFound !== v.sumExpected],
  ["accounts at odds with their transfers", (v) => `${v.torn}`, (v) => v.torn > 0],
  ["longest time without a successful call", (v) => `${seconds(v.longestStallMs)} s`],
  ["longest time without a successful write", (v) => `${seconds(v.longestWriteStallMs)} s`],
  ["latency p50 / p99 of successes", (v) => `${ms(v.p50)} / ${ms(v.p99)} ms`],
];

/** The lines of the table, and what they come to. */
export function table(today: Verdict, breakwater: Verdict, paint: Paint): string[] {
  const line = (name: string, left: string, right: string): string =>
    `${name.padEnd(WIDTHS[0])}${left.padStart(WIDTHS[1])}${right.padStart(WIDTHS[2])}`;
  const rule = "-".repeat(WIDTHS[0] + WIDTHS[1] + WIDTHS[2]);
  const kept = keptPromise(breakwater);
  const promise = "no failed read, no lost, doubled or misreported write";
  return [
    paint.bold(line("", "pg.Pool + retry", "breakwater()")),
    rule,
    ...ROWS.map(([name, of, bad]) => {
      const cell = (verdict: Verdict): string => {
        const text = of(verdict).padStart(WIDTHS[1]);
        return bad?.(verdict) === true ? paint.red(text) : text;
      };
      return `${name.padEnd(WIDTHS[0])}${cell(today)}${cell(breakwater)}`;
    }),
    rule,
    `breakwater(): ${kept ? paint.green(promise) : paint.red(`NOT kept: ${promise}`)}`,
  ];
}
