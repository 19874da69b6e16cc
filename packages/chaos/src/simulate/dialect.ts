/**
 * What simulated servers' statements, errors and transactions mean. It promises what PostgreSQL's dialect promises, no
 * more, so that policies meet the same questions: outcomes are known within one life of a server only, and a promotion
 * makes a committed number unprovable.
 */
import type {
  Connection,
  Dialect,
  Failure,
  HistoryPoint,
  NodeState,
  Outcome,
  QueryResult,
  Situation,
  TransactionIdentity,
  TransactionOptions,
} from "@breakwater/core";
import { noteFailure } from "@breakwater/core";
import { classify, commits } from "./statement.ts";

/** An error of a simulated server or of the way to it: `code` is an SQLSTATE or a code of Node.js, as PostgreSQL's would be. */
export class SimulatedError extends Error {
  /** Name of the class. */
  override readonly name: string = "SimulatedError";
  /** What callers compare. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

type Meaning = Pick<Failure, "retry" | "blames" | "connection" | "reason"> & { readonly retryAfterMs?: number };

/** What the server said; nothing was kept. By SQLSTATE. */
const SAID: Readonly<Record<string, Meaning>> = {
  "25006": { retry: "primary", blames: "statement", connection: "keep", reason: "the server is read-only" },
  "25P02": { retry: "never", blames: "statement", connection: "keep", reason: "the transaction has failed" },
  "40001": { retry: "transaction", blames: "contention", connection: "keep", reason: "could not serialize" },
  "40P01": { retry: "transaction", blames: "contention", connection: "keep", reason: "deadlock" },
  "53100": { retry: "same-node", blames: "load", connection: "keep", reason: "disk full" },
  "53200": { retry: "same-node", blames: "load", connection: "keep", reason: "out of memory" },
  "53300": { retry: "same-node", blames: "load", connection: "keep", reason: "too many connections" },
  "57P03": { retry: "other-node", blames: "node", connection: "destroy", reason: "the server is starting" },
  ECONNREFUSED: { retry: "other-node", blames: "node", connection: "destroy", reason: "nobody listens" },
};
const WRONG: Meaning = { retry: "never", blames: "statement", connection: "keep", reason: "the statement is wrong" };
const CANCELLED: Meaning = {
  retry: "never",
  blames: "caller",
  connection: "keep",
  reason: "the statement was cancelled",
};

/** Codes that say that the link is gone, and so nothing of what was on its way. */
const LOST: ReadonlySet<string> = new Set(["ECONNRESET", "57P01"]);

function judge(error: unknown, situation: Situation): Failure {
  const code = error instanceof SimulatedError ? error.code : "";
  if (LOST.has(code)) return lost(situation);
  const meaning = SAID[code] ?? (code === "57014" ? CANCELLED : WRONG);
  const { phase, inTransaction, access } = situation;
  // Inside a transaction only the whole of it can be run again; what a read-only server refuses belongs elsewhere.
  const whole = inTransaction && phase === "running" && meaning.retry !== "never" && meaning.retry !== "primary";
  const alone = !inTransaction && meaning.retry === "transaction";
  const retry = whole ? "transaction" : alone ? (access === "read" ? "other-node" : "same-node") : meaning.retry;
  return { phase, effect: "none", ...meaning, retry };
}

function lost({ phase, access, inTransaction }: Situation): Failure {
  const reached = phase === "running" || phase === "committing";
  const unknown = reached && (phase === "committing" || (access === "write" && !inTransaction));
  return {
    phase,
    effect: unknown ? "unknown" : "none",
    retry: inTransaction && phase === "running" ? "transaction" : "other-node",
    blames: "node",
    connection: "destroy",
    reason: "the connection was lost",
  };
}

function allOf(answer: QueryResult): readonly QueryResult[] {
  return Array.isArray(answer) ? (answer as readonly QueryResult[]) : [answer];
}

function begin({ isolation, readOnly }: TransactionOptions): string {
  const strict = isolation === "serializable" || isolation === "repeatable read" ? " serializable" : "";
  return `begin${strict}${readOnly === true ? " read-only" : ""}`;
}

/** The life of a server's connection, which never changes. */
const lives = new WeakMap<object, string>();

async function incarnation(connection: Connection): Promise<string> {
  const key = connection.driver as object;
  const known = lives.get(key);
  if (known !== undefined) return known;
  const { rows } = await connection.query<{ readonly life: string }>({ text: "life" });
  const life = rows[0]?.life ?? "";
  lives.set(key, life);
  return life;
}

function identity(begun: QueryResult, life: string): Omit<TransactionIdentity, "node"> | undefined {
  const row = allOf(begun).at(-1)?.rows[0] as { readonly id?: string; readonly pid?: number } | undefined;
  return row?.id === undefined ? undefined : { id: row.id, processId: Number(row.pid), incarnation: life };
}

interface StatusRow {
  readonly status: string;
  readonly life: string | null;
}

async function outcome(primary: Connection, { id, incarnation: life }: TransactionIdentity): Promise<Outcome> {
  const { rows } = await primary.query<StatusRow>({ text: "status $1", values: [id] });
  const { status = "unseen", life: now = null } = rows[0] ?? {};
  if (now === null) throw wrongNode("the node asked for an outcome is a standby", "primary");
  const then = timelineOf(life);
  if (timelineOf(now) < then) throw wrongNode("the node asked for an outcome has an older history", "other-node");
  if (status === "committed") return now === life ? "committed" : "unprovable";
  if (status === "in progress") return now === life ? "in-progress" : "rolled-back";
  return status === "forgotten" ? "unprovable" : "rolled-back";
}

function timelineOf(life: string): number {
  return Number(life.split("/")[1] ?? 0);
}

function wrongNode(reason: string, retry: "primary" | "other-node"): Error {
  const error = new SimulatedError("XX000", reason);
  noteFailure(error, { phase: "running", effect: "none", retry, blames: "node", connection: "keep", reason });
  return error;
}

interface ProbeRow {
  readonly role: NodeState["role"];
  readonly timeline: number;
  readonly position: number;
}

async function probe(connection: Connection): Promise<NodeState> {
  const { rows } = await connection.query<ProbeRow>({ text: "probe" });
  const { role = "replica", timeline, position } = rows[0] ?? {};
  return { role, systemId: "simulated", timeline, position: position === undefined ? undefined : BigInt(position) };
}

function positionOf(answer: QueryResult): HistoryPoint | undefined {
  const row = allOf(answer).at(-1)?.rows[0] as Omit<ProbeRow, "role"> | undefined;
  return row?.position === undefined ? undefined : { timeline: row.timeline, position: BigInt(row.position) };
}

/** The dialect of simulated servers. */
export const simulated: Dialect = Object.freeze({
  name: "simulated",
  transaction: {
    begin,
    commit: "commit",
    rollback: "rollback",
    savepoint: (name) => `savepoint ${name}`,
    releaseSavepoint: (name) => `release ${name}`,
    rollbackToSavepoint: (name) => `rollback to ${name}`,
  },
  resolution: {
    identityText: "identify",
    incarnation,
    identity,
    outcome,
    end: async (primary, { id }) => void (await primary.query({ text: "end $1", values: [id] })),
  },
  commitPosition: { questionText: "position", read: positionOf },
  classify,
  commits,
  judge,
  committed: (answer) => allOf(answer).every(({ command }) => command !== "ROLLBACK"),
  probe,
} satisfies Dialect);
