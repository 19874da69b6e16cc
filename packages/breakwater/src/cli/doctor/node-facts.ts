/** What one node answers, put into words of this program. */
import type { Activity, Node, Plan, Setting } from "./facts.ts";
import { poolerOf } from "./pooler.ts";
import { ledgerQuestion, type Question, QUESTIONS, REPLAY, WHO } from "./questions.ts";
import { isRefusal, type Session } from "./session.ts";
import type { Target } from "./targets.ts";

type Row = Readonly<Record<string, unknown>>;
type Rows = readonly Row[];

/** @throws the driver's error when the node does not answer. */
export async function factsOf(session: Session, target: Target, plan: Plan, timeoutMs: number): Promise<Node> {
  const refused: string[] = [];
  const asking = async (name: string, question: string, limited = true): Promise<Rows | undefined> => {
    try {
      return await session.ask(question, limited);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refused.push(name);
      return undefined;
    }
  };
  const sentMs = Date.now();
  const [who = {}] = await session.ask(WHO);
  if (!/^\d+$/.test(String(who["version"]))) throw new Error("what answers there is no PostgreSQL");
  const roundTripMs = Date.now() - sentMs;
  const state = await session.probe();
  const rows: Partial<Record<Question, Rows | undefined>> = {};
  for (const name of Object.keys(QUESTIONS) as Question[]) {
    // The limit of a question would be seen among the settings. Only superusers see how others are let in.
    if (name === "trusts" && rows.role?.[0]?.["superuser"] !== true) continue;
    rows[name] = await asking(name, QUESTIONS[name], name !== "settings");
  }
  const replay = state.role === "replica" ? (await asking("replay", REPLAY))?.[0] : undefined;
  const ledger = plan.ledger === undefined ? undefined : (await asking("ledger", ledgerQuestion(plan.ledger)))?.[0];
  const pooled = session.processId !== undefined && session.processId !== Number(who["pid"]);
  const version = Number(who["version"]);
  return {
    ...target.address,
    user: String(who["user"]),
    database: String(who["database"]),
    state,
    version,
    versionText: String(who["text"]),
    server: [state.systemId ?? who["address"], who["started"]].join("/"),
    tls: session.tls,
    local: isLocal(session.host),
    pooled,
    ...(pooled ? await poolerOf(target.config, timeoutMs / 2) : { console: undefined, statementMode: false }),
    clock: { aheadMs: Number(who["now"]) - sentMs - roundTripMs / 2, exactMs: roundTripMs / 2 },
    ...read(rows),
    replay: replay && {
      receiving: Number(replay["receivers"]) > 0,
      status: text(replay["status"]),
      paused: replay["paused"] === true,
    },
    lag: undefined,
    ledger: ledger && (ledger["there"] !== true ? "missing" : ledger["allowed"] === true ? "there" : "forbidden"),
    refused,
  };
}

function read(
  rows: Partial<Record<Question, Rows | undefined>>,
): Pick<
  Node,
  "settings" | "role" | "activity" | "prepared" | "slots" | "senders" | "conflicts" | "age" | "archiver" | "trusts"
> {
  const first = (name: Question): Row | undefined => rows[name]?.[0];
  const role = first("role");
  const prepared = first("prepared");
  const age = first("age");
  const archiver = first("archiver");
  return {
    settings: new Map((rows.settings ?? []).map((row) => [String(row["name"]), settingOf(row)])),
    role: role && {
      superuser: role["superuser"] === true,
      monitors: role["monitors"] === true,
      limit: Number(role["role_limit"]),
      databaseLimit: Number(role["database_limit"]),
    },
    activity: activityOf(first("activity")),
    prepared: prepared && {
      count: Number(prepared["count"]),
      oldestSeconds: Number(prepared["oldest"] ?? 0),
      gid: String(prepared["gid"]),
    },
    slots: rows.slots?.map((row) => ({
      name: String(row["name"]),
      active: row["active"] === true,
      retainedBytes: number(row["retained"]),
      walStatus: text(row["wal_status"]),
    })),
    senders: rows.senders?.map((row) => ({ application: text(row["application"]) ?? "", state: text(row["state"]) })),
    conflicts: number(first("conflicts")?.["conflicts"]),
    age: age && {
      transactions: Number(age["transactions"]),
      multixacts: Number(age["multixacts"]),
      database: String(age["database"]),
    },
    archiver: archiver && { failed: Number(archiver["failed"]), failing: archiver["failing"] === true },
    trusts: rows.trusts?.map((row) => ({ line: Number(row["line"]), address: String(row["address"]) })),
  };
}

function settingOf(row: Row): Setting {
  return {
    name: String(row["name"]),
    value: String(row["value"]),
    unit: text(row["unit"]),
    source: String(row["source"]),
    context: String(row["context"]),
    pendingRestart: row["pending"] === true,
  };
}

function activityOf(row: Row | undefined): Activity | undefined {
  return (
    row && {
      connections: Number(row["connections"]),
      oldestTransactionSeconds: number(row["oldest"]),
      oldestTransactionPid: number(row["oldest_pid"]),
      idleInTransactionSeconds: number(row["idle"]),
      idleInTransactionPid: number(row["idle_pid"]),
    }
  );
}

function isLocal(host: string): boolean {
  return host.startsWith("/") || /^(?:localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(host);
}

function number(value: unknown): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
