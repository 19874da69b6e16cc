/**
 * How a transaction begins: with what else its server is told and asked in the same message.
 */
import type { CallHost } from "./call-host.ts";
import type { TransactionResolution } from "../contract/dialect.ts";
import type { Carrier } from "../contract/driver.ts";
import type { TransactionIdentity } from "../contract/errors.ts";
import type { TransactionOperation } from "../contract/operation.ts";
import type { QueryResult, Statement } from "../contract/pool.ts";
import type { TransactionLink } from "./transaction-link.ts";

/** A statement of several; `joined` makes its text where they are sent as one, if that is another. */
type Part = Statement & { readonly joined?: () => string };

/**
 * Connections on which the last transaction could be begun. On others nothing of a function runs before that is known:
 * where transactions are refused, they are refused again.
 */
const begunBefore = new WeakSet<Carrier>();

/** What begins one transaction. It may wait for the first statement, and then both are sent in one flight. */
export class Opening {
  /** Who the transaction is, once it has begun, where that is wanted and can be known. */
  identity: TransactionIdentity | undefined;
  /** Nothing has been sent of it yet. */
  waits = true;
  readonly #link: TransactionLink;
  readonly #operation: TransactionOperation<unknown>;
  readonly #host: CallHost;
  readonly #resolution: TransactionResolution | undefined;
  readonly #texts: readonly Part[];
  #incarnation = "";

  constructor(link: TransactionLink, operation: TransactionOperation<unknown>, host: CallHost) {
    this.#link = link;
    this.#operation = operation;
    this.#host = host;
    if (operation.resolvable) this.#resolution = host.dialect.resolution;
    const { transaction: texts } = host.dialect;
    const before = texts.before?.(operation.transaction);
    const begin = { text: texts.begin(operation.transaction) };
    this.#texts = before === undefined ? [begin] : [{ text: before }, begin];
  }

  /** Undefined where it waits for the first statement: where the connection carries both, and nothing has to be asked before. */
  begin(): Promise<void> | undefined {
    const { carrier } = this.#link;
    const known = this.#resolution === undefined ? "" : this.#resolution.known?.(this.#link);
    const waits = carrier !== undefined && begunBefore.has(carrier) && carrier.carries(undefined);
    if (!waits || known === undefined) return this.#atOnce();
    this.#incarnation = known;
    return undefined;
  }

  /** Begins by itself, before whatever is sent next. That, and the call, fail where this fails. */
  ahead(): void {
    if (this.waits) this.#alone().catch(() => undefined);
  }

  /** Runs a statement of the transaction; begins with it, or before it. */
  query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    if (!this.waits) return this.#link.query(statement);
    const { carrier } = this.#link;
    if (carrier?.carries(statement) === true) {
      const first = carrier.made(statement);
      // Its values may have used the transaction while they were converted.
      if (first !== undefined && this.waits) return this.#with(carrier, first) as Promise<QueryResult<Row>>;
    }
    this.ahead();
    return this.#link.query(statement);
  }

  async #atOnce(): Promise<void> {
    this.#incarnation = (await this.#resolution?.incarnation(this.#link)) ?? "";
    await this.#alone();
  }

  async #alone(): Promise<void> {
    this.waits = false;
    const { carrier } = this.#link;
    if (carrier?.carries(undefined) === true) await this.#with(carrier, undefined);
    else this.#begun(await this.#link.begin<QueryResult>(together(this.#parts())));
  }

  #with(carrier: Carrier, first: Statement | undefined): Promise<QueryResult | undefined> {
    this.waits = false;
    begunBefore.delete(carrier);
    const parts = this.#parts();
    const opened = (answers: readonly QueryResult[]): void => {
      begunBefore.add(carrier);
      this.#link.begun();
      this.#begun(answers as unknown as QueryResult);
    };
    const statement = first ?? parts[0] ?? { text: "" };
    return this.#link.begin(statement, { text: statement.text, run: () => carrier.begin(parts, first, opened) });
  }

  #begun(answer: QueryResult): void {
    const identity = this.#resolution?.identity(answer, this.#incarnation, this.#link);
    if (identity !== undefined) this.identity = { ...identity, node: this.#host.name };
  }

  /** The limit counts from now. */
  #parts(): Part[] {
    const limit = limitOf(this.#operation, this.#host);
    const resolution = this.#resolution;
    return [
      ...this.#texts,
      ...(resolution === undefined ? limiting(limit, this.#host) : asking(resolution, limit, this.#host)),
    ];
  }
}

/** How much longer than the call the server lets a statement run, in milliseconds: who cancels it is the caller's side. */
const SERVER_MARGIN_MS = 100;

/** Should the caller's side be gone by then, the server ends what would otherwise go on holding its locks. */
function limitOf({ access, deadline }: TransactionOperation<unknown>, { clock }: CallHost): number | undefined {
  if (access === "read" || deadline === Number.POSITIVE_INFINITY) return undefined;
  return Math.max(deadline - clock.now(), 0) + SERVER_MARGIN_MS;
}

function limiting(limitMs: number | undefined, { dialect: { transaction: texts } }: CallHost): Part[] {
  if (limitMs === undefined || texts.limit === undefined) return [];
  const joined = (): string => texts.limit?.(limitMs) ?? "";
  const statement = texts.limitStatement?.(limitMs);
  return [statement === undefined ? { text: joined() } : { ...statement, joined }];
}

/** Asks who the transaction is; the limit goes with the question where that can be. */
function asking(resolution: TransactionResolution, limitMs: number | undefined, host: CallHost): Part[] {
  const { identityText } = resolution;
  if (identityText === undefined) return limiting(limitMs, host);
  const apart = (): Part[] => [...limiting(limitMs, host), { text: identityText }];
  const limited = limitMs !== undefined && host.dialect.transaction.limit !== undefined;
  const both = limited ? resolution.identityAndLimit?.(limitMs) : undefined;
  return both === undefined ? apart() : [{ ...both, joined: () => textOf(apart()) }];
}

/** One statement, or several in one text. */
export function together(parts: readonly Part[]): Statement {
  const text = textOf(parts);
  return parts.length === 1 ? { text } : { text, parts };
}

function textOf(parts: readonly Part[]): string {
  return parts.map((part) => part.joined?.() ?? part.text).join("; ");
}
