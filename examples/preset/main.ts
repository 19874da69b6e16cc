/**
 * Shows the preset, `breakwater()`, on a real primary with two replicas: the primary is killed and a replica takes over
 * while four callers go on reading and writing. What is counted at the end is what the database holds. Commits wait for a
 * replica here: what only the killed server had, nobody could bring back.
 */
import assert from "node:assert/strict";
import { startCluster } from "@breakwater/chaos";
import { breakwater, OutcomeUnknownError } from "breakwater";

await using cluster = await startCluster({ replicas: 2, synchronous: true });
const [primary, ...replicas] = cluster.nodes.map((node) => node.connectionString);
if (primary === undefined) throw new Error("a cluster has a node");

await using db = breakwater({ primary, replicas });
db.on("router:node-down", ({ node }) => console.log(`  ${node} is down`));
db.on("router:role-changed", ({ node, role }) => console.log(`  ${node} is a ${role}`));

await db.query("CREATE TABLE orders (id int PRIMARY KEY)");

let id = 0;
let acknowledged = 0;
let unknown = 0;
let failed = 0;
let slowestMs = 0;
const end = new AbortController();

async function caller(): Promise<void> {
  while (!end.signal.aborted) {
    const started = performance.now();
    try {
      await db.query("INSERT INTO orders VALUES ($1)", [++id], { exactlyOnce: true });
      acknowledged += 1;
      await db.query("SELECT count(*) FROM orders");
    } catch (error) {
      if (error instanceof OutcomeUnknownError) unknown += 1;
      else failed += 1;
    }
    slowestMs = Math.max(slowestMs, performance.now() - started);
  }
}

const callers = [caller(), caller(), caller(), caller()];
console.log("The primary is killed, and a replica is promoted.");
await cluster.failover();
setTimeout(() => end.abort(), 1_000);
await Promise.all(callers);

const kept = (await db.value<number>("SELECT count(*)::int FROM orders", { consistency: "strong" })) ?? 0;
console.log(`${acknowledged} writes acknowledged, ${failed} failed, ${unknown} with an unknown outcome;`);
console.log(`${kept} rows in the table; the slowest call took ${Math.round(slowestMs)} ms.`);

// Whatever was acknowledged is there once; what is there besides was said to be unknown.
assert(failed === 0 && acknowledged > 0 && acknowledged <= kept && kept <= acknowledged + unknown);
