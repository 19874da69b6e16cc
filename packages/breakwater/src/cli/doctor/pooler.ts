/** What a pooler tells of itself, and what can be found out without its word. */
import type { PgConfig } from "@breakwater/pg";
import type { Node, PoolerConsole } from "./facts.ts";
import { Session } from "./session.ts";

/** Each of both has a connection of its own: one may be refused, the other ended. */
export async function poolerOf(config: PgConfig, limitMs: number): Promise<Pick<Node, "console" | "statementMode">> {
  const [console, statementMode] = await Promise.all([
    atConsole(config, limitMs).catch(() => undefined),
    onOther(config, limitMs, takesNoTransactions).catch(() => false),
  ]);
  return { console, statementMode };
}

/** PgBouncer tells of itself in a database of its own, to those whom its file lets in. Others have none, or say no. */
async function readConsole(session: Session): Promise<PoolerConsole> {
  const [version = {}] = await session.askPlainly("SHOW VERSION");
  const settings = await session.askPlainly("SHOW CONFIG");
  return {
    version: /\d+(?:\.\d+)+/.exec(String(version["version"]))?.[0] ?? "",
    settings: new Map(settings.map((row) => [String(row["key"]), String(row["value"])])),
  };
}

/** Where each statement may go to another server, a transaction that is left open is refused, and the link ended. */
async function takesNoTransactions(session: Session): Promise<boolean> {
  try {
    await session.askPlainly("BEGIN READ ONLY");
    await session.askPlainly("ROLLBACK");
    return false;
  } catch (error) {
    return error instanceof Error && /statement pooling/i.test(error.message);
  }
}

async function onOther<T>(config: PgConfig, limitMs: number, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await Session.open(config, limitMs / 2);
  try {
    return await session.within(limitMs / 2, work(session));
  } finally {
    await session.end();
  }
}

async function atConsole(config: PgConfig, limitMs: number): Promise<PoolerConsole> {
  const { connectionString } = config;
  if (connectionString === undefined) return onOther({ ...config, database: "pgbouncer" }, limitMs, readConsole);
  // Of a path to a socket there is no such address.
  const url = new URL(connectionString);
  url.pathname = "/pgbouncer";
  return onOther({ ...config, connectionString: url.href }, limitMs, readConsole);
}
