/**
 * Looks an error up in the failure table and says what it means where it happened.
 */
import { BreakwaterError, type Failure, recordedFailure, type RetryAdvice, type Situation } from "@breakwater/core";
import { type Facts, factsOf, peek } from "./facts.ts";
import { type Column, type FailureRow, LOST, type Match, type Verdicts, WRONG } from "./row.ts";
import { FAILURE_TABLE } from "./table.ts";

/** How long `slow` waits, in milliseconds: what is short of resources, or unknown to the resolver, stays so for a while. */
const SLOW_MS = 500;

/** How far wrapped errors are followed: they may contain themselves. */
const MAX_DEPTH = 4;

/** Most members of an AggregateError that are looked at. */
const MAX_MEMBERS = 64;

/** Longest code that is put into a reason: no code of a server or a driver is longer. */
const MAX_CODE = 64;

/**
 * What an error of MySQL or MariaDB, of the driver or of the socket means in a situation. Never throws, and always returns
 * a full failure: what is not in the table, and may have reached the server, has an unknown outcome.
 */
export function judge(error: unknown, situation: Situation): Failure {
  try {
    return judgeDepth(error, situation, 0);
  } catch {
    // Reading is guarded property by property; what can still throw is a proxy that lies about its prototype.
    return apply(UNKNOWN, factsOf(undefined), situation);
  }
}

function judgeDepth(error: unknown, situation: Situation, depth: number): Failure {
  // The project's own errors were given their failure when they were made.
  const known = error instanceof BreakwaterError ? recordedFailure(error) : undefined;
  if (known !== undefined) return known;
  const facts = factsOf(error);
  const members = depth === 0 && facts.name === "AggregateError" ? membersOf(error) : [];
  if (members.length > 0) {
    return members.map((member) => judgeDepth(member, situation, depth + 1)).reduce(lessSafe);
  }
  const row = FAILURE_TABLE.find((candidate) => fits(candidate.match, facts));
  if (row !== undefined) return apply(row, facts, situation);
  const unknown = apply(UNKNOWN, facts, situation);
  // A wrapper that says nothing itself (an ORM's error around the driver's) speaks through its cause. But it may quote
  // an older failure, so a cause that claims an earlier phase is not believed any more than the wrapper.
  const cause = depth < MAX_DEPTH ? peek(error, "cause") : undefined;
  if (typeof cause !== "object" || cause === null) return unknown;
  const inner = judgeDepth(cause, situation, depth + 1);
  return inner.phase === situation.phase ? inner : lessSafe(unknown, inner);
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
  if (match.numbers && (facts.number === undefined || !match.numbers.includes(facts.number))) return false;
  if (match.server && facts.number === undefined) return false;
  if (match.sqlstates && !match.sqlstates.includes(facts.sqlstate)) return false;
  if (match.codes && !match.codes.includes(facts.code)) return false;
  if (match.prefixes && !match.prefixes.some((prefix) => facts.code.startsWith(prefix))) return false;
  if (match.syscalls && !match.syscalls.includes(facts.syscall)) return false;
  if (match.names && !match.names.includes(facts.name)) return false;
  if (match.texts && !match.texts.some((part) => facts.message.includes(part))) return false;
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

function apply(row: FailureRow, facts: Facts, situation: Situation): Failure {
  const columns = columnsOf(situation);
  const column = columns.find((candidate) => row.verdicts[candidate] !== undefined) ?? columns[0] ?? "W";
  const ends = row.ends === true || facts.fatal;
  const [advice, ...limits] = (row.verdicts[column] ?? unforeseen(facts, ends)[column] ?? "lost drop").split(" ");
  const retry = retryOf(advice, column);
  // An ERR packet that leaves the connection open is the answer to the statement. With one that ends it, the server has not
  // said what became of the statement.
  const unproved =
    (column === "W" || column === "K") && facts.number !== undefined && ends && row.notSent === undefined;
  // Where nobody is advised to try again, the server's own error says enough. Otherwise the part that was kept counts.
  const inParts = situation.inParts === true && column === "W" && row.notSent === undefined && retry !== "never";
  const optIn = limits.includes("lock") ? "lock" : limits.includes("timeout") ? "timeout" : undefined;
  return {
    phase: row.notSent ?? situation.phase,
    effect: unproved || inParts || advice === "res" || advice === "lost" ? "unknown" : "none",
    retry,
    blames: row.blames,
    connection: ends || unproved || column === "C" || limits.includes("drop") ? "destroy" : "keep",
    reason: reasonOf(row, facts),
    ...(limits.includes("once") && { maxRetries: 1 }),
    ...(limits.includes("slow") && { retryAfterMs: SLOW_MS }),
    ...(optIn && { optIn }),
  };
}

function reasonOf({ meaning }: FailureRow, { number, code }: Facts): string {
  const told = number === undefined ? code : `${number}`;
  return told === "" || told.length > MAX_CODE ? meaning : `${meaning} (${told})`;
}

/** A place where the row says that its error cannot come up. */
function unforeseen({ number }: Facts, ends: boolean): Verdicts {
  return number !== undefined && !ends ? WRONG : LOST;
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
