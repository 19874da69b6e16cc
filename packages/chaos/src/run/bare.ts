/**
 * `pg.Pool` with the retry wrapper that one finds around it: whatever looks like trouble with the connection is done again.
 *
 * Writes go to the address that follows the primary, reads go to the replicas in turn. It stands for the usual way, as something to
 * compare with.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Pool, type PoolClient } from "pg";
import { sqlSubject } from "./sql.ts";
import type { Ask, Subject, SubjectTarget } from "./subject.ts";

const MAX_RETRIES = 5;
const FIRST_PAUSE_MS = 50;
/** Longest wait for a connection. */
const CONNECT_MS = 2_000;
/** Longest wait for an answer. */
const ANSWER_MS = 10_000;

/** What wrappers try again on: broken connections, servers that come or go, time-outs, conflicts. */
const AGAIN =
  /^(ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT|08...|57P0.|40001|40P01|53300)$|terminated|timeout|Connection ended|not queryable/i;

/** Makes the subject. */
export function barePool(target: SubjectTarget): Subject {
  const pool = open(target.endpoint);
  const replicas = target.replicas.map(open);
  let turn = 0;
  return sqlSubject({
    name: "pg.Pool with retry",
    query: ({ text, values, access }) =>
      again(async () => {
        const reader = access === "read" ? replicas[turn++ % replicas.length] : undefined;
        const { rows } = await (reader ?? pool).query<Record<string, unknown>>(text, [...values]);
        return rows;
      }),
    transaction: (run) => again(() => inTransaction(pool, run)),
    async close() {
      await Promise.all([pool, ...replicas].map((one) => one.end()));
    },
  });
}

function open(connectionString: string): Pool {
  const pool = new Pool({
    connectionString,
    max: 20,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: ANSWER_MS,
    application_name: "bare",
  });
  // An idle connection that dies is replaced by the next call.
  pool.on("error", () => {});
  return pool;
}

async function inTransaction<T>(pool: Pool, run: (ask: Ask) => Promise<T>): Promise<T> {
  const client: PoolClient = await pool.connect();
  let failure: Error | undefined;
  client.on("error", noted);
  try {
    await client.query("BEGIN");
    const value = await run(async <Row>(text: string, values: readonly unknown[] = []) => {
      const { rows } = await client.query(text, [...values]);
      return rows as Row[];
    });
    await client.query("COMMIT");
    return value;
  } catch (error) {
    failure = error as Error;
    await client.query("ROLLBACK").then(
      () => {
        failure = undefined;
      },
      () => {},
    );
    throw error;
  } finally {
    client.off("error", noted);
    client.release(failure);
  }
}

function noted(): void {
  // The statement that runs, or the next one, rejects as well.
}

async function again<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const { code, message } = error as { readonly code?: string; readonly message?: string };
      if (attempt === MAX_RETRIES || !(AGAIN.test(code ?? "") || AGAIN.test(message ?? ""))) throw error;
      await delay(FIRST_PAUSE_MS * 2 ** attempt);
    }
  }
}
