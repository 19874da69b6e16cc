/**
 * The words in which a dialect writes its failure table. Rows are data: documents print them and tests walk over them.
 */
import type { Blame, Phase } from "../contract/failure.ts";

/**
 * Where a call stood when the error came: **C** while connecting · **B** before anything was sent · **R** a read was
 * running, outside a transaction · **T** inside an explicit transaction, COMMIT not sent · **W** a write on its own was
 * running · **K** COMMIT had been sent.
 */
export type Column = "C" | "B" | "R" | "T" | "W" | "K";

/**
 * What is advised: `same` node, `other` node, `prim`ary, `tx` the whole transaction again, `no` further attempt, `res`
 * the outcome is unknown and has to be resolved (only an idempotent call may be run again), `lost` the outcome is
 * unknown and nobody wants the call any more.
 */
export type Advice = "same" | "other" | "prim" | "tx" | "no" | "res" | "lost";

/**
 * One cell: the advice, then what narrows it. `slow`: wait longer first. `drop`: destroy the connection. `once`: at most
 * one retry. `lock`, `timeout`: only for callers that opted in to waiting again.
 */
export type Verdict = `${Advice}${"" | " slow"}${"" | " drop"}${"" | " once"}${"" | " lock" | " timeout"}`;

/** A row's cells. A missing cell is a place where the error cannot come up; it is judged by who raised it alone. */
export type Verdicts = Readonly<Partial<Record<Column, Verdict>>>;

/** Which errors a row speaks of. Every part that is given must fit; of a list, any entry. A dialect adds its own parts. */
export interface Match {
  /** The error's `code`, in full: the server's, the driver's, or that of the operating system. */
  readonly codes?: readonly string[];
  /** How the error's `code` begins. */
  readonly prefixes?: readonly string[];
  /** Parts of the message. Servers translate messages, drivers do not. */
  readonly texts?: readonly string[];
  /** Beginnings of the message: for a driver's own texts, so that a longer sentence that quotes one does not fit. */
  readonly starts?: readonly string[];
  /** The system call that failed: a failed `connect` proves that nothing was sent. */
  readonly syscalls?: readonly string[];
  /** Names of the error's class. */
  readonly names?: readonly string[];
}

/** One row of a failure table. */
export interface FailureRow<M extends Match = Match> {
  /** How the row is called; unique in the table. */
  readonly name: string;
  /** What an error must have for the row to be its. */
  readonly match: M;
  /** What happened, in plain words; becomes the failure's `reason`. */
  readonly meaning: string;
  /** What caused it. */
  readonly blames: Blame;
  /** What it means in each phase. */
  readonly verdicts: Verdicts;
  /** The error itself proves that the statement never left, whatever the adapter believed: the phase it really came in. */
  readonly notSent?: Extract<Phase, "acquire" | "connect" | "unsent">;
  /** Nothing can have been kept even though the connection ended, and why. */
  readonly proof?: string;
  /** Where this can be read, or how it was observed. */
  readonly source: string;
  /** `measured`: provoked on a real server. `documentation`: taken from the source named beside it. */
  readonly evidence: "measured" | "documentation";
}

/** The link is gone: reads go elsewhere, transactions start again, writes and commits have an unknown outcome. */
export const LOST: Verdicts = {
  C: "other",
  B: "other drop",
  R: "other drop",
  T: "tx drop",
  W: "res drop",
  K: "res drop",
};

/** The statement, or the caller's setting, is wrong: running it again gives the same answer. */
export const WRONG: Verdicts = { C: "no", B: "no", R: "no", T: "no", W: "no", K: "no" };

/** Nothing left this process, or the server refused before it looked at the statement: another attempt is always safe. */
export const REFUSED: Verdicts = { C: "other", B: "other", R: "other drop", T: "tx drop", W: "other drop" };

/** Makes a table out of its rows, which nobody can change any more. */
export function failureRows<R extends FailureRow>(...rows: readonly R[]): readonly R[] {
  return freeze(rows);
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) freeze(part);
  }
  return value;
}
