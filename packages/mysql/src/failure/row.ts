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

/** A row's cells. A missing cell is a place where the error cannot come up; it is judged by who raised it alone. */
export type Verdicts = Readonly<Partial<Record<Column, Verdict>>>;

/** Which errors a row speaks of. Every part that is given must fit; of a list, any entry. */
export interface Match {
  /** The server's error number. */
  readonly numbers?: readonly number[];
  /** Whether the server raised it, as the answer to what it was sent or with its last words on the connection. */
  readonly server?: true;
  /** The SQLSTATE beside the number. */
  readonly sqlstates?: readonly string[];
  /** The error's `code`, in full: the driver's, or that of the operating system. */
  readonly codes?: readonly string[];
  /** How the error's `code` begins. */
  readonly prefixes?: readonly string[];
  /** Parts of the message, where a number is used for more than one thing. */
  readonly texts?: readonly string[];
  /** Beginnings of the message: for a driver's own texts. */
  readonly starts?: readonly string[];
  /** The system call that failed: a failed `connect` proves that nothing was sent. */
  readonly syscalls?: readonly string[];
  readonly names?: readonly string[];
}

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
  /** With this error the server ends the connection: it is no answer to the statement. */
  readonly ends?: true;
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
