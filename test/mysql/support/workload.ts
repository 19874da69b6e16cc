/**
 * Writes of several kinds, all at once, by seeded dice: each leaves one row in `log` in the same transaction as what it
 * does. There is no unique constraint, so that doing it twice would show.
 */
import { type Database, seededRandom } from "@breakwater/core";
import { ledgerTableSql } from "@breakwater/policies";
import { mysql } from "@breakwater/mysql";
import { History, type Truth } from "../../support/history.ts";
import type { MariaCluster } from "./cluster.ts";

const ACCOUNTS = 10;
const BALANCE = 1_000;

/** Makes the tables of the workload and the ledger. */
export async function prepare(cluster: MariaCluster): Promise<void> {
  await cluster.primary.server.query(`USE app;
    CREATE TABLE log (id varchar(64) NOT NULL, kind varchar(16) NOT NULL, source int, target int, amount int);
    CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
    INSERT INTO accounts SELECT seq, ${BALANCE} FROM seq_0_to_${ACCOUNTS - 1};
    ${ledgerTableSql("breakwater_ledger", mysql)}`);
  for (const node of cluster.replicas) await cluster.caughtUp(node);
}

/** Load on a database until it is stopped. */
export class Workload {
  readonly history: History = new History();
  readonly #db: Database;
  readonly #running: Promise<unknown>;
  #stopped = false;

  constructor(db: Database, seed: number, callers = 8) {
    this.#db = db;
    this.#running = Promise.all(Array.from({ length: callers }, (_, at) => this.#caller(seed * 1_000 + at)));
  }

  /** Resolves when the last call has settled. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #caller(seed: number): Promise<void> {
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    for (let call = 0; !this.#stopped; call += 1) {
      const id = `${seed}-${call}`;
      const kinds = [
        () => this.#insert(id),
        () => this.#insertInTransaction(id),
        () => this.#transfer(id, below(ACCOUNTS), below(ACCOUNTS), 1 + below(20)),
      ];
      await kinds[below(kinds.length)]?.();
    }
  }

  #insert(id: string): Promise<void> {
    return this.history.record(id, "insert", () =>
      this.#db.query("INSERT INTO log (id, kind) VALUES (?, 'insert')", [id], { exactlyOnce: true }),
    );
  }

  #insertInTransaction(id: string): Promise<void> {
    return this.history.record(id, "transaction", () =>
      this.#db.transaction((tx) =>
        tx.transaction((inner) => inner.query("INSERT INTO log (id, kind) VALUES (?, 'transaction')", [id])),
      ),
    );
  }

  /** The accounts are locked in the order of the dice, so that some of these end in a deadlock and are run again. */
  #transfer(id: string, source: number, target: number, amount: number): Promise<void> {
    return this.history.record(id, "transfer", () =>
      this.#db.transaction(async (tx) => {
        await tx.query("UPDATE accounts SET balance = balance - ? WHERE id = ?", [amount, source]);
        await tx.query("UPDATE accounts SET balance = balance + ? WHERE id = ?", [amount, target]);
        await tx.query("INSERT INTO log (id, kind, source, target, amount) VALUES (?, 'transfer', ?, ?, ?)", [
          id,
          source,
          target,
          amount,
        ]);
      }),
    );
  }
}

/** Compares what callers were told with what the present primary has. */
export async function truthOf(history: History, cluster: MariaCluster): Promise<Truth> {
  const { server } = cluster.primary;
  const rows = await server.query<{ id: string; times: number }>(
    "SELECT id, COUNT(*) AS times FROM app.log GROUP BY id",
  );
  const broken = await server.query<{ broken: string }>(`USE app; 
    SELECT 'sum of balances' AS broken FROM accounts HAVING SUM(balance) <> ${ACCOUNTS * BALANCE}
    UNION ALL SELECT CONCAT('account ', id) FROM accounts WHERE balance <> ${BALANCE}
      + (SELECT COALESCE(SUM(amount), 0) FROM log WHERE target = accounts.id)
      - (SELECT COALESCE(SUM(amount), 0) FROM log WHERE source = accounts.id)`);
  const there = new Map(rows.map(({ id, times }) => [id, times]));
  return {
    lost: history.ids("ok").filter((id) => !there.has(id)),
    doubled: [...there].filter(([, times]) => times > 1).map(([id]) => id),
    wrong: history.ids("failed").filter((id) => there.has(id)),
    pending: history.ids("pending"),
    broken: (broken.at(-1) as unknown as { broken: string }[]).map((row) => row.broken),
  };
}
