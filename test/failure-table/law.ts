/**
 * What the law says of an observed error, in its own shorthand, and how that is compared with the judge and the truth.
 */
import type { Failure, Phase, Situation } from "@breakwater/core";
import type { Column } from "@breakwater/core/failures";
import { FAILURE_TABLE, judge } from "@breakwater/postgres";
import type { Session } from "./lab.ts";

/** One error that was provoked. */
export interface Observation {
  /** Name of the row that must speak. */
  readonly row: string;
  readonly column: Column;
  /**
   * The law's verdict: `same other prim tx no res`, then `slow drop once lock timeout` as they apply. `part` before it:
   * the text may have kept a part of its work, whatever the server answered.
   */
  readonly law: string;
  readonly error: unknown;
  /** Whether the database has kept what the call wrote; left out where it wrote nothing. */
  readonly kept?: boolean;
  /** Where the call was; the column's own situation unless said. */
  readonly at?: Situation;
  /** The phase that the judge must find, where it is not the situation's. */
  readonly phase?: Phase;
  /** The connection that the error came on: it must go on working where the judge says that it is kept. */
  readonly session?: Session;
}

/** Each column as the situation that an adapter would tell. */
export const SITUATIONS: Readonly<Record<Column, Situation>> = {
  C: { phase: "connect", access: "write", inTransaction: false },
  B: { phase: "unsent", access: "write", inTransaction: false },
  R: { phase: "running", access: "read", inTransaction: false },
  T: { phase: "running", access: "write", inTransaction: true },
  W: { phase: "running", access: "write", inTransaction: false },
  K: { phase: "committing", access: "write", inTransaction: true },
};

/** A pool's queue, before there is a connection. */
export const ACQUIRE: Situation = { phase: "acquire", access: "write", inTransaction: false };

const ADVICE: Readonly<Record<string, Failure["retry"]>> = {
  same: "same-node",
  other: "other-node",
  prim: "primary",
  tx: "transaction",
  no: "never",
};

/** The law's shorthand as the failure that it stands for. */
function lawful({ law, column, at, phase }: Observation): Partial<Failure> {
  const inParts = law.startsWith("part ");
  const [advice = "", ...limits] = law.replace("part ", "").split(" ");
  const known = new Set(["slow", "drop", "once", "lock", "timeout"]);
  for (const limit of limits) if (!known.has(limit)) throw new Error(`the law has no word "${limit}"`);
  const unresolved = advice === "res";
  return {
    phase: phase ?? (at ?? SITUATIONS[column]).phase,
    effect: unresolved || inParts ? "unknown" : "none",
    retry: unresolved ? (column === "K" ? "transaction" : "other-node") : (ADVICE[advice] ?? "never"),
    connection: limits.includes("drop") || column === "C" ? "destroy" : "keep",
    ...(limits.includes("once") && { maxRetries: 1 }),
    ...(limits.includes("lock") && { optIn: "lock" }),
    ...(limits.includes("timeout") && { optIn: "timeout" }),
  };
}

/** The law and the judge on one error, in the same words. */
export interface Verdict {
  readonly expected: string;
  readonly observed: string;
}

/** What the law expects of an observation and what the judge says of it. */
export function compare(observation: Observation): Verdict & { readonly failure: Failure } {
  const failure = judge(observation.error, observation.at ?? SITUATIONS[observation.column]);
  const row = FAILURE_TABLE.find(({ name }) => name === observation.row);
  if (row === undefined) throw new Error(`the table has no row "${observation.row}"`);
  const spoke = failure.reason === row.meaning || failure.reason.startsWith(`${row.meaning} (`);
  const observedRow = spoke ? row.name : `not ${row.name}: ${failure.reason}`;
  return { expected: words(row.name, lawful(observation)), observed: words(observedRow, failure), failure };
}

function words(row: string, { phase, effect, retry, connection, maxRetries, optIn }: Partial<Failure>): string {
  const limits = [maxRetries && "once", optIn].filter(Boolean);
  return [row, phase, `effect ${effect}`, retry, connection, ...limits].join(", ");
}

/** What the driver handed over, on one line. */
export function picture(error: unknown): string {
  const { code, severity, message, routine } = error as Record<string, string | undefined>;
  return [code, severity, routine, message].filter(Boolean).join(" ").slice(0, 90);
}
