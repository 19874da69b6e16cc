/**
 * The words in which the failure table is written. Rows are data: documents print them and tests walk over them.
 */
import type { Blame, Phase } from "@breakwater/core";

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

/** A row's cells. A missing cell is a place where the error cannot come up; it is judged by severity alone. */
export type Verdicts = Readonly<Partial<Record<Column, Verdict>>>;

/** Which errors a row speaks of. Every part that is given must fit; of a list, any entry. */
export interface Match {
  /** The error's `code`, in full. */
  readonly codes?: readonly string[];
  /** How the error's `code` begins: an SQLSTATE class, or a family of Node.js codes. */
  readonly prefixes?: readonly string[];
  /** Any SQLSTATE at all. */
  readonly sqlstate?: true;
  /** The server function that raised it: never translated, so preferred over the text. */
  readonly routines?: readonly string[];
  /** Parts of the message. With `routines`, one of the two must fit. Servers translate messages, drivers do not. */
  readonly texts?: readonly string[];
  /** Beginnings of the message: for a driver's own texts, so that a longer sentence that quotes one does not fit. */
  readonly starts?: readonly string[];
  readonly severity?: Severity;
  /** The system call that failed: a failed `connect` proves that nothing was sent. */
  readonly syscalls?: readonly string[];
  readonly names?: readonly string[];
}

/** How bad the server says it is: the statement ended; the connection ended; it did not say, or not in known words. */
export type Severity = "error" | "fatal" | "unknown";

/** One row of the failure table. */
export interface FailureRow {
  /** How the row is called; unique in the table. */
  readonly name: string;
  readonly match: Match;
  /** What happened, in plain words; becomes the failure's `reason`. */
  readonly meaning: string;
  readonly blames: Blame;
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

/** The socket is gone: reads go elsewhere, transactions start again, writes and commits have an unknown outcome. */
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
