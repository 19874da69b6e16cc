/**
 * Looks an error up in a failure table and says what it means where it happened.
 */
import { BreakwaterError } from "../contract/errors.ts";
import { type Failure, recordedFailure, type RetryAdvice, type Situation } from "../contract/failure.ts";
import { type Facts, peek } from "./facts.ts";
import { type Column, type FailureRow, LOST, type Match, type Verdicts, WRONG } from "./row.ts";

/** How long `slow` waits, in milliseconds: what is short of resources, or unknown to the resolver, stays so for a while. */
const SLOW_MS = 500;

/** How far wrapped errors are followed: they may contain themselves. */
const MAX_DEPTH = 4;

/** Most members of an AggregateError that are looked at. */
const MAX_MEMBERS = 64;

/** Longest code that is put into a reason: no code of a server or a driver is longer. */
const MAX_CODE = 64;

/** Whose word an error is. */
export interface Word {
  /** The server's, not the driver's or the socket's. */
  readonly isServers: boolean;
  /** It is the answer to the statement, which ended without effect. */
  readonly answers: boolean;
  /** The connection ends with it. */
  readonly ends: boolean;
  /** Its code or number, for the failure's `reason`; empty where there is none. */
  readonly code: string;
}

/** The failure table of a dialect, and how to read an error by it. */
export interface FailureTable<F extends Facts, R extends FailureRow> {
  /** Read in their order: the first that fits speaks. */
  readonly rows: readonly R[];
  /** Must not throw, whatever it is given. */
  factsOf(this: void, error: unknown): F;
  /** Whether the parts that only this dialect's rows have fit, `texts` among them. */
  fits(this: void, match: R["match"], facts: F): boolean;
  /** `row` is the one that fits; undefined when none does. */
  wordOf(this: void, facts: F, row: R | undefined): Word;
}

/**
 * The `judge` of a dialect: what an error means in a situation. It never throws, and always returns a full failure: what
 * is not in the table, and may have reached the server, has an unknown outcome.
 */
export function failureJudge<F extends Facts, R extends FailureRow>(
  table: FailureTable<F, R>,
): (error: unknown, situation: Situation) => Failure {
  const { rows, factsOf, wordOf } = table;

  function judge(error: unknown, situation: Situation, depth: number): Failure {
    // The project's own errors were given their failure when they were made.
    const known = error instanceof BreakwaterError ? recordedFailure(error) : undefined;
    if (known !== undefined) return known;
    const facts = factsOf(error);
    const members = depth === 0 && facts.name === "AggregateError" ? membersOf(error) : [];
    if (members.length > 0) return members.map((member) => judge(member, situation, depth + 1)).reduce(lessSafe);
    const row = rows.find(({ match }) => fits(match, facts) && table.fits(match, facts));
    if (row !== undefined) return apply(row, wordOf(facts, row), situation);
    const unknown = apply(UNKNOWN, wordOf(facts, undefined), situation);
    // A wrapper that says nothing itself (an ORM's error around the driver's) speaks through its cause. But it may quote
    // an older failure, so a cause that claims an earlier phase is not believed any more than the wrapper.
    const cause = depth < MAX_DEPTH ? peek(error, "cause") : undefined;
    if (typeof cause !== "object" || cause === null) return unknown;
    const inner = judge(cause, situation, depth + 1);
    return inner.phase === situation.phase ? inner : lessSafe(unknown, inner);
  }

  return (error, situation) => {
    try {
      return judge(error, situation, 0);
    } catch {
      // Reading is guarded property by property; what can still throw is a proxy that lies about its prototype.
      return apply(UNKNOWN, wordOf(factsOf(undefined), undefined), situation);
    }
  };
}

/** Whether one of the `texts` stands in the message. */
export function says(texts: readonly string[], { message }: Facts): boolean {
  return texts.some((part) => message.includes(part));
}

/** The members of an AggregateError, such as Node.js makes of one failure per address of a name. */
function membersOf(error: unknown): readonly unknown[] {
  const errors = peek(error, "errors");
  if (!Array.isArray(errors)) return [];
  return Array.from({ length: Math.min(errors.length, MAX_MEMBERS) }, (_, index) => peek(errors, `${index}`));
}

/** From what may always be done to what must not be. */
const CAUTION: readonly RetryAdvice[] = ["same-node", "other-node", "primary", "transaction", "never"];

/** Of two failures the one that promises less. */
function lessSafe(a: Failure, b: Failure): Failure {
  if (a.effect !== b.effect) return a.effect === "unknown" ? a : b;
  if (a.retry !== b.retry) return CAUTION.indexOf(a.retry) > CAUTION.indexOf(b.retry) ? a : b;
  return b.connection === "destroy" ? b : a;
}

function fits(match: Match, facts: Facts): boolean {
  if (match.codes && !match.codes.includes(facts.code)) return false;
  if (match.prefixes && !match.prefixes.some((prefix) => facts.code.startsWith(prefix))) return false;
  if (match.syscalls && !match.syscalls.includes(facts.syscall)) return false;
  if (match.names && !match.names.includes(facts.name)) return false;
  return !match.starts || match.starts.some((start) => facts.message.startsWith(start));
}

/** What no row speaks of. A driver may fail while it reads the answer to a write that was carried out. */
const UNKNOWN: FailureRow = {
  name: "unknown",
  match: {},
  meaning: "not in the failure table",
  blames: "caller",
  verdicts: { C: "no", B: "no", R: "no drop", T: "no drop", W: "lost drop", K: "lost drop" },
  source: "the third law: what cannot be proved is said",
  evidence: "documentation",
};

function columnsOf({ phase, access, inTransaction }: Situation): readonly Column[] {
  if (phase === "committing") return ["K"];
  if (phase === "connect") return ["C", "B"];
  if (phase === "acquire") return ["B", "C"];
  if (inTransaction) return ["T"];
  if (phase === "unsent") return ["B", "C"];
  return [access === "read" ? "R" : "W"];
}

function apply(row: FailureRow, word: Word, situation: Situation): Failure {
  const columns = columnsOf(situation);
  const column = columns.find((candidate) => row.verdicts[candidate] !== undefined) ?? columns[0] ?? "W";
  const [advice, ...limits] = (row.verdicts[column] ?? unforeseen(word)[column] ?? "lost drop").split(" ");
  const retry = retryOf(advice, column);
  const unproved = (column === "W" || column === "K") && !isProved(row, word);
  // Where nobody is advised to try again, the server's own error says enough. Otherwise the part that was kept counts.
  const inParts = situation.inParts === true && column === "W" && row.notSent === undefined && retry !== "never";
  const optIn = limits.includes("lock") ? "lock" : limits.includes("timeout") ? "timeout" : undefined;
  return {
    phase: row.notSent ?? situation.phase,
    effect: unproved || inParts || advice === "res" || advice === "lost" ? "unknown" : "none",
    retry,
    blames: row.blames,
    connection: word.ends || unproved || column === "C" || limits.includes("drop") ? "destroy" : "keep",
    reason: word.code === "" || word.code.length > MAX_CODE ? row.meaning : `${row.meaning} (${word.code})`,
    ...(limits.includes("once") && { maxRetries: 1 }),
    ...(limits.includes("slow") && { retryAfterMs: SLOW_MS }),
    ...(optIn && { optIn }),
  };
}

/** A place where the row says that its error cannot come up. */
function unforeseen({ answers }: Word): Verdicts {
  return answers ? WRONG : LOST;
}

/**
 * Whether a server's error says that the statement ended without effect: one that ends the connection instead of answering
 * the statement has not said what became of it. What is no server's error is judged by its row alone.
 */
function isProved(row: FailureRow, { isServers, answers }: Word): boolean {
  return !isServers || answers || row.notSent !== undefined || row.proof !== undefined;
}

function retryOf(advice: string | undefined, column: Column): RetryAdvice {
  if (advice === "same") return "same-node";
  if (advice === "other") return "other-node";
  if (advice === "prim") return "primary";
  if (advice === "tx") return "transaction";
  // The outcome is unknown: this is what a caller may do to whom running the call twice is the same as once.
  if (advice === "res") return column === "K" || column === "T" ? "transaction" : "other-node";
  return "never";
}
