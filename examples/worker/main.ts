/**
 * Shows a worker: pg-boss keeps its jobs through the stack, and what a job does is done once. The primary is killed while
 * jobs are worked on, and each job comes twice: the first worker does it, and dies before it can say so.
 */
import assert from "node:assert/strict";
import { startCluster } from "@breakwater/chaos";
import { asPgPool } from "@breakwater/pg";
import { breakwater, ledgerTableSql } from "breakwater";
import { type Job, PgBoss } from "pg-boss";

interface Invoice {
  readonly customer: string;
  readonly amount: number;
}

// Commits wait for a replica: what only the killed server had, nobody could bring back.
await using cluster = await startCluster({ replicas: 2, synchronous: true });
const [primary = "", ...replicas] = cluster.nodes.map((node) => node.connectionString);
await using db = breakwater({ primary, replicas, commitResolution: { ledger: true } });
await db.query(ledgerTableSql());
await db.query("CREATE TABLE payments (job uuid NOT NULL, customer text NOT NULL, amount int NOT NULL)");

const pool = asPgPool(db, { exactlyOnce: true, label: "pg-boss" });
const boss = new PgBoss({ db: { executeSql: (text, values) => pool.query(text, values) } });
const errors: unknown[] = [];
boss.on("error", (error) => errors.push(error));
await boss.start();
await boss.createQueue("invoices", { retryLimit: 20, retryDelay: 0 });

/** A queue hands a job out once or more. With the job's name as the key of the work, the work is done once all the same. */
async function pay({ id, data: { customer, amount } }: Job<Invoice>): Promise<void> {
  await db.query("INSERT INTO payments VALUES ($1, $2, $3)", [id, customer, amount], {
    idempotencyKey: `invoice ${id}`,
  });
}

const seen = new Set<string>();
const paid = new Set<string>();
const begun = Promise.withResolvers<void>();
const ended = Promise.withResolvers<void>();

async function worker(jobs: Job<Invoice>[]): Promise<void> {
  const fresh = jobs.filter(({ id }) => !seen.has(id));
  for (const job of jobs) {
    seen.add(job.id);
    begun.resolve();
    await pay(job);
  }
  if (fresh.length > 0) throw new Error("the worker dies, with its work done");
  for (const { id } of jobs) paid.add(id);
  if (paid.size === invoices) ended.resolve();
}

const invoices = 40;
await boss.insert(
  "invoices",
  Array.from({ length: invoices }, (_, n) => ({ data: { customer: `customer-${n}`, amount: n } })),
);
for (let workers = 2; workers > 0; workers -= 1) {
  await boss.work<Invoice>("invoices", { batchSize: 20, pollingIntervalSeconds: 0.5 }, worker);
}

await begun.promise;
console.log("The primary is killed, and a replica promoted.");
const next = await cluster.failover();
await ended.promise;
await boss.stop();
assert.deepEqual(errors, []);

const [payments] = await next.query("SELECT count(*)::int AS all, count(DISTINCT job)::int AS jobs FROM payments");
assert.deepEqual(payments, { all: invoices, jobs: invoices });
const states = await next.query("SELECT state, count(*)::int FROM pgboss.job WHERE name = 'invoices' GROUP BY 1");
assert.deepEqual(states, [{ state: "completed", count: invoices }]);
console.log(`${invoices} jobs, each handed out twice or more; ${invoices} payments.`);
