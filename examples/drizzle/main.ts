/**
 * Shows Drizzle on the stack: statements, transactions that outlive a failover, and reads that say how fresh they must be.
 * The primary is killed while eight readers borrow a book; no call fails, and every loan is there once.
 */
import assert from "node:assert/strict";
import { startCluster } from "@breakwater/chaos";
import { asPgPool } from "@breakwater/pg";
import { breakwater, type CallOptions, ledgerTableSql } from "breakwater";
import { count, eq, sql } from "drizzle-orm";
import { drizzle, type NodePgClient, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { integer, pgTable, serial, text } from "drizzle-orm/pg-core";

const books = pgTable("books", { id: serial().primaryKey(), title: text().notNull(), lent: integer().notNull() });
const loans = pgTable("loans", { id: serial().primaryKey(), book: integer().notNull(), reader: text().notNull() });

// Commits wait for a replica: what only the killed server had, nobody could bring back.
await using cluster = await startCluster({ replicas: 2, synchronous: true });
const [primary = "", ...replicas] = cluster.nodes.map((node) => node.connectionString);
await using db = breakwater({ primary, replicas, commitResolution: { ledger: true } });
await db.query(ledgerTableSql());

// Drizzle is given a pg.Pool. What may be said of a call is said of a pool; they cost nothing, so there may be several.
const orm = drizzle(asPgPool(db, { exactlyOnce: true }));
const reports = drizzle(asPgPool(db, { consistency: "eventual", priority: "sheddable", label: "reports" }));

/**
 * A transaction of the stack in Drizzle's words: it is run again as a whole where that does no harm, and its commit is
 * looked up when the answer is lost. Drizzle's own `orm.transaction()` is made by hand on a client that it borrows; of
 * that nothing can be repeated. Drizzle only asks its client to `query`, which a transaction does as a client of pg would.
 */
function transaction<T>(run: (tx: NodePgDatabase) => Promise<T>, options?: CallOptions): Promise<T> {
  return db.transaction((tx) => run(drizzle(tx as unknown as NodePgClient)), options);
}

await orm.execute(sql`CREATE TABLE books (id serial PRIMARY KEY, title text NOT NULL, lent int NOT NULL)`);
await orm.execute(sql`CREATE TABLE loans (id serial PRIMARY KEY, book int NOT NULL, reader text NOT NULL)`);
await orm.insert(books).values({ id: 1, title: "The Waves", lent: 0 });

let borrowed = 0;
async function borrow(book: number, reader: string): Promise<void> {
  const more = { lent: sql`${books.lent} + 1` };
  const [loan] = await transaction(
    async (tx) => {
      await tx.update(books).set(more).where(eq(books.id, book));
      return tx.insert(loans).values({ book, reader }).returning();
    },
    { label: "borrow" },
  );
  borrowed += 1;
  assert(loan !== undefined);
  // Read from a replica that has the loan; from the primary only where none has it yet.
  assert.deepEqual(await orm.select().from(loans).where(eq(loans.id, loan.id)), [loan]);
  // Read from any replica, however late.
  await reports.select({ reader: loans.reader, loans: count() }).from(loans).groupBy(loans.reader);
}

const readers = ["Ann", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gwen", "Hal"];
await Promise.all(readers.map((reader) => borrow(1, reader)));

console.log("The primary is killed, and a replica promoted.");
const state = { promoted: false };
const reading = Promise.all(
  readers.map(async (reader) => {
    for (let left = 10; left > 0; left -= state.promoted ? 1 : 0) await borrow(1, reader);
  }),
);
await cluster.failover();
state.promoted = true;
await reading;

const [waves] = await orm.select().from(books);
assert.deepEqual(waves, { id: 1, title: "The Waves", lent: borrowed });
assert.equal(await orm.$count(loans), borrowed);
const replica = db.stats().nodes.find(({ role }) => role === "replica");
assert(replica !== undefined && replica.pool.metrics.calls > 0);
console.log(`${borrowed} loans, each there once; ${replica.name} has answered ${replica.pool.metrics.calls} calls.`);
