/**
 * How a transaction begins: with what else its server is told and asked in the same message.
 */
import type { CallHost } from "./call-host.ts";
import type { TransactionResolution } from "../contract/dialect.ts";
import type { TransactionIdentity } from "../contract/errors.ts";
import type { TransactionOperation } from "../contract/operation.ts";
import type { Connection, Statement } from "../contract/pool.ts";

/** A statement of several; `joined` is its text where they are sent as one, if that is another. */
type Part = Statement & { readonly joined?: string };

/** Begins, and learns who the transaction is where that is wanted and can be known. */
export async function begin(
  link: Connection,
  operation: TransactionOperation<unknown>,
  host: CallHost,
): Promise<TransactionIdentity | undefined> {
  const { resolution, transaction: texts } = host.dialect;
  const before = texts.before?.(operation.transaction);
  const opening = { text: texts.begin(operation.transaction) };
  const first = before === undefined ? [opening] : [{ text: before }, opening];
  if (!operation.resolvable || resolution === undefined) {
    await link.query(together([...first, ...limiting(limitOf(operation, host), host)]));
    return undefined;
  }
  const incarnation = await resolution.incarnation(link);
  const begun = await link.query(together([...first, ...asking(resolution, limitOf(operation, host), host)]));
  const identity = resolution.identity(begun, incarnation, link);
  return identity === undefined ? undefined : { ...identity, node: host.name };
}

/** How much longer than the call the server lets a statement run, in milliseconds: who cancels it is the caller's side. */
const SERVER_MARGIN_MS = 100;

/** Should the caller's side be gone by then, the server ends what would otherwise go on holding its locks. */
function limitOf({ access, deadline }: TransactionOperation<unknown>, { clock }: CallHost): number | undefined {
  if (access === "read" || deadline === Number.POSITIVE_INFINITY) return undefined;
  return Math.max(deadline - clock.now(), 0) + SERVER_MARGIN_MS;
}

function limiting(limitMs: number | undefined, { dialect: { transaction: texts } }: CallHost): Part[] {
  const text = limitMs === undefined ? undefined : texts.limit?.(limitMs);
  if (limitMs === undefined || text === undefined) return [];
  const statement = texts.limitStatement?.(limitMs);
  return [statement === undefined ? { text } : { ...statement, joined: text }];
}

/** Asks who the transaction is; the limit goes with the question where that can be. */
function asking(resolution: TransactionResolution, limitMs: number | undefined, host: CallHost): Part[] {
  const limit = limiting(limitMs, host);
  const { identityText } = resolution;
  if (identityText === undefined) return limit;
  const apart = [...limit, { text: identityText }];
  const both = limitMs === undefined || limit.length === 0 ? undefined : resolution.identityAndLimit?.(limitMs);
  return both === undefined ? apart : [{ ...both, joined: textOf(apart) }];
}

/** One statement, or several in one text. */
export function together(parts: readonly Part[]): Statement {
  const text = textOf(parts);
  return parts.length === 1 ? { text } : { text, parts };
}

function textOf(parts: readonly Part[]): string {
  return parts.map((part) => part.joined ?? part.text).join("; ");
}
