/**
 * How a rule tells the calls that it is for: by their text, label or tenant, or by a function.
 */
import { type Access, type Operation, text } from "@breakwater/core";

/** What a rule sees of a call. */
export interface RuleCall {
  /** The statement's text; undefined for a transaction, and for a connection that is not borrowed for one statement. */
  readonly text: string | undefined;
  /** Which of the three kinds of call it is. */
  readonly kind: Operation<unknown>["kind"];
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** On whose behalf the call is made; undefined where nobody said so. */
  readonly tenant: string | undefined;
  /** Whether it reads or writes, by the caller's word or, where there is none, by the text. */
  readonly access: Access;
}

/** The calls that a rule is for. All conditions that are given must hold. */
export interface CallMatch {
  /** A pattern for the statement's text; a text with `*` for any characters, in any case; or a function. */
  readonly match?: RegExp | string | ((call: RuleCall) => boolean);
  /** Only calls of this label. */
  readonly label?: string;
  /** Only calls that are made on behalf of this one. */
  readonly tenant?: string;
}

/** Whether a rule is for a call. */
export type CallMatcher = (call: RuleCall) => boolean;

/** The conditions by name, for the check of a rule that has more options. */
export const MATCH_OPTIONS = ["match", "label", "tenant"] as const;

/** What rules see of an operation. */
export function ruleCall(operation: Operation<unknown>): RuleCall {
  const { kind, label, tenant, access } = operation;
  return { text: kind === "transaction" ? undefined : operation.statement?.text, kind, label, tenant, access };
}

/** @throws OptionError when a condition is none. */
export function callMatcher(option: string, { match, label, tenant }: CallMatch): CallMatcher {
  if (label !== undefined) text(`${option}.label`, label);
  if (tenant !== undefined) text(`${option}.tenant`, tenant);
  const fits = matcher(`${option}.match`, match);
  return (call) =>
    (label === undefined || label === call.label) && (tenant === undefined || tenant === call.tenant) && fits(call);
}

function matcher(option: string, match: CallMatch["match"]): CallMatcher {
  if (match === undefined) return () => true;
  if (typeof match === "function") return match;
  // Without the flags that make a pattern remember where it stopped: every statement is a new text.
  const pattern =
    match instanceof RegExp
      ? new RegExp(match.source, match.flags.replace(/[gy]/g, ""))
      : wildcard(text(option, match));
  return ({ text: sql }) => sql !== undefined && pattern.test(sql);
}

function wildcard(pattern: string): RegExp {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join(".*")}$`, "is");
}
