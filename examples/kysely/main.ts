/**
 * Shows Kysely on the stack: statements and reads of replicas, transactions that outlive a failover, and customers who see
 * what they did themselves. The primary is killed while money is moved; no call fails, and no money comes or goes.
 */
import assert from "node:assert/strict";
import { startCluster } from "@breakwater/chaos";
import { asPgPool } from "@breakwater/pg";
import { breakwater, type CallOptions, ledgerTableSql } from "breakwater";
import { type Generated, Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient, sql } from "kysely";

interface Tables {
  accounts: { owner: string; balance: number };
  transfers: { id: Generated<number>; from: string; to: string };
}

// Commits wait for a replica: what only the killed server had, nobody could bring back.
await using cluster = await startCluster({ replicas: 2, synchronous: true });
const [primary = "", ...replicas] = cluster.nodes.map((node) => node.connectionString);
await using db = breakwater({ primary, replicas, commitResolution: { ledger: true } });
await db.query(ledgerTableSql());

const over = (pool: PostgresPool): Kysely<Tables> => new Kysely({ dialect: new PostgresDialect({ pool }) });

// Kysely borrows a client for every statement: of the primary, unless the pool is for reads. `clientsThroughStack` has the
// stack run what Kysely does with it nevertheless; with `exactlyOnce` it goes without saying.
const writer = over(asPgPool(db, { exactlyOnce: true }));
const reader = over(asPgPool(db, { access: "read", clientsThroughStack: true }));

/**
 * A transaction of the stack in Kysely's words: it is run again as a whole where that does no harm, and its commit is
 * looked up when the answer is lost. Kysely's own `transaction()` is made by hand on its client: nothing of it is repeated.
 */
function transaction<T>(run: (tx: Kysely<Tables>) => Promise<T>, options?: CallOptions): Promise<T> {
  return db.transaction((tx) => {
    const query = (text: string, values: readonly unknown[]): unknown => tx.query(text, values);
    const client = { query, release: () => undefined } as PostgresPoolClient;
    return run(over({ connect: async () => client, end: async () => undefined, options: {} }));
  }, options);
}

await sql`CREATE TABLE accounts (owner text PRIMARY KEY, balance int NOT NULL)`.execute(writer);
await sql`CREATE TABLE transfers (id serial PRIMARY KEY, "from" text, "to" text)`.execute(writer);
const owners = ["Ann", "Ben", "Cleo", "Dan"];
const accounts = owners.map((owner) => ({ owner, balance: 1_000 }));
await writer.insertInto("accounts").values(accounts).execute();

let transfers = 0;
async function transfer(from: string, to: string): Promise<void> {
  const move = async (tx: Kysely<Tables>): Promise<number> => {
    // In one order, so that no two transfers wait for each other.
    for (const owner of [from, to].toSorted()) {
      const account = tx.updateTable("accounts").where("owner", "=", owner);
      await account.set((own) => ({ balance: own("balance", "+", owner === from ? -1 : 1) })).execute();
    }
    const made = tx.insertInto("transfers").values({ from, to }).returning("id");
    return (await made.executeTakeFirstOrThrow()).id;
  };
  // What is read in a session has seen what was written in it, however deep the calls are made, and is else any replica's.
  await db.runInSession(async () => {
    const id = await transaction(move, { label: "transfer" });
    transfers += 1;
    const own = await reader.selectFrom("transfers").where("id", "=", id).select(["from", "to"]).executeTakeFirst();
    assert.deepEqual(own, { from, to });
  });
}

const rounds = owners.map((from, at) => [from, owners.at(at - 1) ?? from] as const);
await Promise.all(rounds.map(([from, to]) => transfer(from, to)));

console.log("The primary is killed, and a replica promoted.");
const state = { promoted: false };
const transferring = Promise.all(
  rounds.map(async ([from, to]) => {
    for (let left = 20; left > 0; left -= state.promoted ? 1 : 0) await transfer(from, to);
  }),
);
await cluster.failover();
state.promoted = true;
await transferring;

const { fn } = writer;
const { total } = await writer
  .selectFrom("accounts")
  .select(fn.sum<string>("balance").as("total"))
  .executeTakeFirstOrThrow();
const { rows } = await writer
  .selectFrom("transfers")
  .select(fn.countAll<string>().as("rows"))
  .executeTakeFirstOrThrow();
assert.deepEqual([Number(total), Number(rows)], [4_000, transfers]);
const replica = db.stats().nodes.find(({ role }) => role === "replica");
assert(replica !== undefined && replica.pool.metrics.calls > 0);
console.log(
  `${transfers} transfers, each there once; ${replica.name} has answered ${replica.pool.metrics.calls} calls.`,
);
