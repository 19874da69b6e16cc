/**
 * Finds out what became of a write whose answer was lost: committed, and the caller gets its result; rolled back, and
 * `retry` runs it again; not provable, and the caller is told so.
 *
 * Stands inside `retry` and outside `router`: it asks whoever is the primary now. Transactions learn their number at the
 * database together with BEGIN, without a round trip of their own.
 */
import {
  adjustable,
  type Clock,
  type Connection,
  failureOf,
  flag,
  knownOptions,
  nonNegativeMs,
  type Next,
  type Operation,
  operationContext,
  type Outcome,
  OptionError,
  OutcomeUnknownError,
  type Policy,
  type PolicyControl,
  type PolicyPart,
  type Pool,
  positiveMs,
  type QueryOperation,
  RolledBackError,
  sleep,
  statefulPolicy,
  systemClock,
  text,
  type TransactionIdentity,
  type TransactionOperation,
  type Unanswered,
  UsageError,
} from "@breakwater/core";
import { randomUUID } from "node:crypto";
import "./events.ts";
import { Ledger, LEDGER_TABLE } from "./ledger.ts";

export interface CommitResolutionOptions {
  /** Sends every autocommit write as a transaction that can be resolved, unless a call says otherwise. @default false */
  readonly exactlyOnce?: boolean;
  /**
   * Keeps a row per transaction in this table, which also proves what a failover or a crash has made ambiguous; true for
   * `breakwater_ledger`. The table is made by `ledgerTableSql()`. A database that cannot tell what became of a
   * transaction, such as MySQL, needs it for all that this policy does. @default false
   */
  readonly ledger?: boolean | string;
  /** Longest that resolving may take, in milliseconds, if the call's deadline is not sooner. @default 10000 */
  readonly limitMs?: number;
  /** How long a transaction that still runs is left to end by itself before its server process is ended, in milliseconds. @default 1000 */
  readonly graceMs?: number;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
}

/** Pause between two questions, in milliseconds. */
const PAUSE_MS = 25;

/** @throws OptionError when an option is unknown or out of range. */
export function commitResolution(options: CommitResolutionOptions = {}): Policy {
  const settings = check(options);
  return statefulPolicy("commit-resolution", (inner) => new Resolver(inner, settings), {
    outside: {
      router: "it asks whichever node is the primary by then, so it stands around all of them",
      "circuit-breaker": "it asks whichever node is the primary by then, so it stands around all of them",
    },
  });
}

type Settings = Required<CommitResolutionOptions>;

function check(options: CommitResolutionOptions): Settings {
  knownOptions("commitResolution", options, ["exactlyOnce", "ledger", "limitMs", "graceMs", "clock"]);
  const { ledger = false, limitMs = 10_000, graceMs = 1_000, exactlyOnce = false, clock = systemClock } = options;
  if (typeof clock?.setTimer !== "function") throw new OptionError("commitResolution.clock", clock, "a clock");
  return {
    clock,
    limitMs: positiveMs("commitResolution.limitMs", limitMs),
    graceMs: nonNegativeMs("commitResolution.graceMs", graceMs),
    exactlyOnce: flag("commitResolution.exactlyOnce", exactlyOnce),
    ledger: typeof ledger === "boolean" ? ledger : text("commitResolution.ledger", ledger),
  };
}

class Resolver implements PolicyPart {
  readonly control: PolicyControl;
  readonly #inner: Pool;
  #settings: Settings;
  readonly #ledger: Ledger | undefined;
  readonly #outcomes: Record<Outcome, number> = {
    committed: 0,
    "rolled-back": 0,
    "in-progress": 0,
    unprovable: 0,
  };

  constructor(inner: Pool, settings: Settings) {
    this.#inner = inner;
    this.#settings = settings;
    this.#ledger = ledgerOf(settings.ledger, inner);
    this.control = adjustable({
      owner: "commitResolution",
      options: settings,
      // Not the ledger: what was proved by one table is not known to another.
      names: ["exactlyOnce", "limitMs", "graceMs"],
      check,
      apply: (changed) => {
        this.#settings = changed;
      },
    });
  }

  execute<T>(operation: Operation<T>, next: Next): Promise<T> {
    if (operation.access === "read" || operation.kind === "session") return next(operation);
    if (operation.kind === "transaction") return this.#resolvable(operation, next);
    const { exactlyOnce = this.#settings.exactlyOnce, idempotencyKey, idempotent } = operation;
    if (idempotencyKey === undefined && (!exactlyOnce || idempotent)) return next(operation);
    // A text that commits by itself would end the transaction that it is put into.
    const ends = this.#inner.dialect.commits(operation.statement.text);
    if (ends && idempotencyKey === undefined) return next(operation);
    if (ends)
      throw new UsageError(this.#inner.name, "a statement that commits by itself cannot have an idempotencyKey");
    return this.#resolvable(asTransaction(operation), next).catch((error: unknown) => {
      // VACUUM and its like refuse to run in a transaction; nothing has happened, and they are sent as they are.
      if (idempotencyKey === undefined && REFUSES_TRANSACTION.has(codeOf(error))) return next(operation);
      throw error;
    });
  }

  stats(): Readonly<Record<string, unknown>> {
    return { ...this.#outcomes };
  }

  #resolvable<T>(operation: TransactionOperation<T>, next: Next): Promise<T> {
    const ledger = this.#ledger;
    const { idempotencyKey } = operation;
    if (idempotencyKey !== undefined && ledger === undefined) {
      throw new UsageError(this.#inner.name, "idempotencyKey needs commitResolution({ ledger: true })");
    }
    const key = ledger === undefined ? undefined : (idempotencyKey ?? randomUUID());
    const known =
      ledger === undefined || key === undefined
        ? operation
        : withLedger(operation, ledger, key, idempotencyKey !== undefined);
    return next({ ...known, resolvable: true }).catch((error: unknown) => {
      const unanswered = error instanceof OutcomeUnknownError ? OutcomeUnknownError.unanswered(error) : undefined;
      if (unanswered === undefined) throw error;
      return this.#resolve<T>(error as OutcomeUnknownError, unanswered, operation, key, next);
    });
  }

  async #resolve<T>(
    error: OutcomeUnknownError,
    unanswered: Unanswered,
    operation: Operation<T>,
    key: string | undefined,
    next: Next,
  ): Promise<T> {
    const { clock, limitMs, graceMs } = this.#settings;
    const { transaction } = unanswered;
    const waited = operation.trace?.wait("commit-resolution", "outcome");
    const started = clock.now();
    const limit = Math.min(operation.deadline, started + limitMs);
    const question: Question = { transaction, key, end: false };
    let answer: Answer = { outcome: "unprovable", by: "status" };
    while (clock.now() < limit) {
      question.end = clock.now() - started >= graceMs;
      const asked = await this.#ask(question, operation, limit, next);
      if (asked !== undefined) answer = asked;
      if (asked !== undefined && asked.outcome !== "in-progress") break;
      try {
        await sleep(clock, PAUSE_MS, operation.signal);
      } catch {
        // The caller leaves. What it may have left behind is said first.
        break;
      }
    }
    this.#outcomes[answer.outcome] += 1;
    const { name, events } = this.#inner;
    const waitedMs = clock.now() - started;
    waited?.();
    operation.trace?.note("commit-resolution", "found out what became of it", { ...answer, waitedMs });
    events.emit("commit-resolution:resolved", { pool: name, label: operation.label, transaction, ...answer, waitedMs });
    if (answer.outcome === "committed") {
      operation.causality?.wrote();
      return unanswered.value as T;
    }
    if (answer.outcome !== "rolled-back") throw error;
    throw new RolledBackError(name, "the answer to COMMIT was lost, and the database has not kept it", error.cause, {
      phase: "committing",
      effect: "none",
      retry: "transaction",
      blames: "node",
      connection: "destroy",
      reason: "proved not to be committed",
    });
  }

  /** Asks the present primary; undefined when it could not be asked, and may be asked again. */
  async #ask(
    question: Question,
    operation: Operation<unknown>,
    deadline: number,
    next: Next,
  ): Promise<Answer | undefined> {
    try {
      return await next<Answer>({
        ...operationContext("read"),
        kind: "query",
        statement: { text: "" },
        consistency: "strong",
        priority: "critical",
        deadline,
        signal: operation.signal,
        label: operation.label,
        run: (primary) => this.#answer(primary, question),
      });
    } catch (error) {
      return failureOf(error).retry === "never" ? { outcome: "unprovable", by: "status" } : undefined;
    }
  }

  async #answer(primary: Connection, { transaction, key, end }: Question): Promise<Answer> {
    const ledger = this.#ledger;
    const { resolution } = this.#inner.dialect;
    if (resolution === undefined) return { outcome: "unprovable", by: "status" };
    const outcome = await resolution.outcome(primary, transaction);
    if (outcome === "in-progress" && end) await resolution.end(primary, transaction);
    if (outcome !== "unprovable" || ledger === undefined || key === undefined) return { outcome, by: "status" };
    // The transaction is over, only its number proves nothing any more. Its row does.
    const found = await ledger.find(primary, key);
    return { outcome: found === undefined ? "rolled-back" : "committed", by: "ledger" };
  }
}

interface Question {
  readonly transaction: TransactionIdentity;
  readonly key: string | undefined;
  /** Whether a transaction that still runs has had its time. */
  end: boolean;
}

interface Answer {
  readonly outcome: Outcome;
  readonly by: "status" | "ledger";
}

/**
 * SQLSTATE 25001, active_sql_transaction: "cannot run inside a transaction block"; 2D000, invalid_transaction_termination:
 * a procedure that commits was called inside one. The statement is rolled back with either.
 */
const REFUSES_TRANSACTION: ReadonlySet<unknown> = new Set(["25001", "2D000"]);

/** The same statement as a unit that begins and commits. */
function asTransaction<T>(operation: QueryOperation<T>): TransactionOperation<T> {
  const { statement: _, ...rest } = operation;
  // Its `run` may ask the operation for its statement.
  return { ...rest, kind: "transaction", transaction: {}, run: (...given) => operation.run(...given) };
}

/** The same work, with its row in the ledger; not done when the row is there already. */
function withLedger<T>(
  operation: TransactionOperation<T>,
  ledger: Ledger,
  key: string,
  keepResult: boolean,
): TransactionOperation<T> {
  return {
    ...operation,
    run: async (connection, attempt) => {
      const first = await ledger.claim(connection, key);
      if (first !== undefined) return first.value as T;
      const value = await operation.run(connection, attempt);
      if (keepResult) await ledger.keep(connection, key, value);
      return value;
    },
  };
}

function ledgerOf(option: boolean | string, { dialect }: Pool): Ledger | undefined {
  if (option === false) return undefined;
  return new Ledger(option === true ? LEDGER_TABLE : option, dialect.ledger);
}

function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null | undefined)?.code;
}
