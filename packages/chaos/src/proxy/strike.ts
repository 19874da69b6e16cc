/** What can happen to a single statement, or to one kind of message. */
import { integerIn, lineOf, numberIn, oneOf, onlyKnown, refusal } from "../check.ts";
import { checkFault, checkOften, type FaultOptions, type OftenOptions } from "./fault.ts";
import { type Notice, type ServerError } from "./messages.ts";
import { type MessageType, messageType } from "./names.ts";
import type { Direction } from "./pump.ts";

export interface DropReplyOptions extends FaultOptions {
  /** Whether the client is cut off when the server has answered, or right after sending (the server still does it). @default "reply" */
  readonly wait?: "reply" | "none";
}

/** Which COMMIT goes without an answer. */
export interface DropCommitReplyOptions {
  /** Strikes the n-th COMMIT from now on; from 1. @default 1 */
  readonly nth?: number;
  /** Ends after so many strikes, at each n-th COMMIT; from 1. @default 1 */
  readonly times?: number;
  /** As for `dropReply`. @default "reply" */
  readonly wait?: "reply" | "none";
}

export interface InjectOptions extends FaultOptions {
  /** Five characters, such as `40001`. */
  readonly sqlstate: string;
  /** @default "injected fault" */
  readonly message?: string;
  /** `FATAL` also ends the connection. @default "ERROR" */
  readonly severity?: "ERROR" | "FATAL";
}

export interface NoticeOptions extends FaultOptions {
  /** Five characters. @default "01000" */
  readonly sqlstate?: string;
  /** @default "injected notice" */
  readonly message?: string;
  /** @default "WARNING" */
  readonly severity?: Notice["severity"];
}

export interface DelayMessageOptions extends OftenOptions {
  /** The message by its name in PostgreSQL's documentation, such as `CommandComplete`, or by its type letter. */
  readonly message: string;
  /** How long it and all that follows it wait, in milliseconds; 0 to 60 000. */
  readonly ms: number;
  /** Who sends it; needed for what both sides have: letters, CopyData, CopyDone. */
  readonly direction?: Direction;
}

/** What happens to a struck statement. */
export type Strike =
  | { readonly kind: "drop-reply"; readonly wait: "reply" | "none" }
  | { readonly kind: "cut-before" }
  | { readonly kind: "cut-after-parse" }
  | { readonly kind: "cut-before-ready" }
  | { readonly kind: "notice"; readonly notice: Notice }
  | { readonly kind: "inject"; readonly error: ServerError };

/** Blanks and comments before a statement, and what may stand between COMMIT and the end of it. */
const BEFORE = String.raw`(?:\s|/\*[^*]*\*/)*`;
const AFTER = String.raw`(?:\s+(?:WORK|TRANSACTION))?(?:\s+AND\s+(?:NO\s+)?CHAIN)?\s*(?:;|$|/\*|--)`;
const COMMIT = new RegExp(`(?:^|;)${BEFORE}COMMIT${AFTER}`, "i");
/** Only as the first word: elsewhere it may end the body of a function. */
const END = new RegExp(`^${BEFORE}END${AFTER}`, "i");

/** @throws RangeError */
export function checkDropReply(options: DropReplyOptions): Strike {
  checkFault("dropReply", options, ["wait"]);
  return { kind: "drop-reply", wait: waitOf(options.wait) };
}

/** @returns what is struck, and how. @throws RangeError */
export function checkDropCommitReply(options: DropCommitReplyOptions): { which: FaultOptions; strike: Strike } {
  onlyKnown("dropCommitReply", options, ["nth", "times", "wait"]);
  const every = integerIn("nth", options.nth ?? 1, 1, Number.MAX_SAFE_INTEGER);
  const times = integerIn("times", options.times ?? 1, 1, Number.MAX_SAFE_INTEGER);
  return { which: { to: commits, every, times }, strike: { kind: "drop-reply", wait: waitOf(options.wait) } };
}

/** @throws RangeError */
export function checkInject(options: InjectOptions): Strike {
  checkFault("inject", options, ["sqlstate", "message", "severity"]);
  const { sqlstate, message = "injected fault" } = options;
  const severity = oneOf("severity", options.severity ?? "ERROR", ["ERROR", "FATAL"]);
  return {
    kind: "inject",
    error: { severity, sqlstate: checkSqlstate(sqlstate), message: lineOf("message", message) },
  };
}

/** What a notice may call itself. */
export const noticeSeverities = ["WARNING", "NOTICE", "INFO", "LOG", "DEBUG"] as const;

/** @throws RangeError */
export function checkNotice(options: NoticeOptions): Strike {
  checkFault("notice", options, ["sqlstate", "message", "severity"]);
  const { sqlstate = "01000", message = "injected notice" } = options;
  const severity = oneOf("severity", options.severity ?? "WARNING", noticeSeverities);
  return {
    kind: "notice",
    notice: { severity, sqlstate: checkSqlstate(sqlstate), message: lineOf("message", message) },
  };
}

/** @throws RangeError */
export function checkDelayMessage(options: DelayMessageOptions): { type: MessageType; ms: number } {
  checkOften("delayMessage", options, ["message", "ms", "direction"]);
  const ms = numberIn("ms", options.ms, 0, 60_000);
  return { type: messageType(options.message, options.direction), ms };
}

/** @throws RangeError */
export function checkSqlstate(value: unknown): string {
  if (typeof value === "string" && /^[0-9A-Z]{5}$/.test(value)) return value;
  throw refusal("sqlstate", value, "five characters from 0-9 and A-Z");
}

function waitOf(wait: DropReplyOptions["wait"]): "reply" | "none" {
  return oneOf("wait", wait ?? "reply", ["reply", "none"]);
}

/** Whether a text holds a COMMIT; not `COMMIT PREPARED`, which ends another transaction than its own. */
function commits(text: string): boolean {
  return COMMIT.test(text) || END.test(text);
}
