/**
 * Writes of several kinds, all at once, by seeded dice: each leaves one row in `log` in the same transaction as what it
 * does. There is no unique constraint, so that doing it twice would show.
 */
import { type Database, seededRandom } from "@breakwater/core";
import type { History } from "./history.ts";

/** Accounts, and what each has at the beginning. */
const ACCOUNTS = 10;
const BALANCE = 1_000;
const COUNTERS = 4;

/** Makes the tables of the workload. */
export const workloadSql = `
  CREATE TABLE log (id text NOT NULL, kind text NOT NULL, counter int, source int, target int, amount int);
  CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL);
  INSERT INTO counters SELECT i, 0 FROM generate_series(0, ${COUNTERS - 1}) AS i;
  CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
  INSERT INTO accounts SELECT i, ${BALANCE} FROM generate_series(0, ${ACCOUNTS - 1}) AS i;
`;

/** What must be true of the database whatever was done to it, as names of what is not. */
export const brokenSql = `
  SELECT 'sum of balances' AS broken FROM accounts HAVING sum(balance) <> ${ACCOUNTS * BALANCE}
  UNION ALL SELECT 'account ' || id FROM accounts WHERE balance <> ${BALANCE}
    + (SELECT coalesce(sum(amount), 0) FROM log WHERE target = accounts.id)
    - (SELECT coalesce(sum(amount), 0) FROM log WHERE source = accounts.id)
  UNION ALL SELECT 'counter ' || id FROM counters WHERE n <> (SELECT count(*) FROM log WHERE counter = counters.id)
`;

export interface WorkloadOptions {
  readonly seed: number;
  /** How many write at a time. @default 8 */
  readonly callers?: number;
  /** Also autocommit writes that do not say exactlyOnce: when their answer is lost, nobody can know. @default true */
  readonly plain?: boolean;
}

/** Load on a database until it is stopped. */
export class Workload {
  readonly #db: Database;
  readonly #history: History;
  readonly #running: Promise<unknown>;
  #stopped = false;

  constructor(db: Database, history: History, options: WorkloadOptions) {
    const { seed, callers = 8, plain = true } = options;
    this.#db = db;
    this.#history = history;
    this.#running = Promise.all(Array.from({ length: callers }, (_, at) => this.#caller(seed * 1_000 + at, plain)));
  }

  /** Resolves when the last call has settled. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #caller(seed: number, plain: boolean): Promise<void> {
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    for (let call = 0; !this.#stopped; call++) {
      const id = `${seed}-${call}`;
      const kinds = [
        () => this.#insert(id, "insert", { exactlyOnce: true }),
        () => this.#insertInTransaction(id),
        () => this.#count(id, below(COUNTERS)),
        () => this.#transfer(id, below(ACCOUNTS), below(ACCOUNTS), 1 + below(20)),
        () => this.#insert(id, "plain", {}),
      ];
      await kinds[below(plain ? kinds.length : kinds.length - 1)]?.();
    }
  }

  #insert(id: string, kind: string, options: { readonly exactlyOnce?: boolean }): Promise<void> {
    const text = "INSERT INTO log (id, kind) VALUES ($1, $2)";
    return this.#history.record(id, kind, () => this.#db.query(text, [id, kind], options));
  }

  #insertInTransaction(id: string): Promise<void> {
    return this.#history.record(id, "transaction", () =>
      this.#db.transaction((tx) =>
        tx.transaction((inner) => inner.query("INSERT INTO log (id, kind) VALUES ($1, 'transaction')", [id])),
      ),
    );
  }

  #count(id: string, counter: number): Promise<void> {
    const text = `WITH logged AS (INSERT INTO log (id, kind, counter) VALUES ($1, 'counter', $2))
      UPDATE counters SET n = n + 1 WHERE id = $2`;
    return this.#history.record(id, "counter", () => this.#db.query(text, [id, counter], { exactlyOnce: true }));
  }

  /** The accounts are locked in the order of the dice, so that some of these end in a deadlock and are run again. */
  #transfer(id: string, source: number, target: number, amount: number): Promise<void> {
    return this.#history.record(id, "transfer", () =>
      this.#db.transaction(async (tx) => {
        await tx.query("UPDATE accounts SET balance = balance - $2 WHERE id = $1", [source, amount]);
        await tx.query("UPDATE accounts SET balance = balance + $2 WHERE id = $1", [target, amount]);
        await tx.query("INSERT INTO log (id, kind, source, target, amount) VALUES ($1, 'transfer', $2, $3, $4)", [
          id,
          source,
          target,
          amount,
        ]);
      }),
    );
  }
}
