/**
 * Shows a service over HTTP whose primary is killed while customers order: no request fails, and every order is there
 * once. Then an answer that nobody can know, a customer who asks again, and SIGTERM.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClusterNode, startCluster } from "@breakwater/chaos";
import { breakwater, ledgerTableSql } from "breakwater";
import { schema, start } from "./service.ts";

// Commits wait for a replica: what only the killed server had, nobody could bring back.
await using cluster = await startCluster({ replicas: 2, synchronous: true });
const [primary = "", ...replicas] = cluster.nodes.map((node) => node.connectionString);
await using db = breakwater({ primary, replicas, commitResolution: { ledger: true }, bulkhead: {} });
await db.query(schema);
await db.query(ledgerTableSql());
await db.query("INSERT INTO stock VALUES ('book', 1000000), ('lamp', 0)");
const { url, server, ended } = await start(db);

async function ask(path: string, init?: RequestInit): Promise<{ status: number; body: unknown; headers: Headers }> {
  const response = await fetch(`${url}/${path}`, init);
  return { status: response.status, body: await response.json(), headers: response.headers };
}

function order(key: string, { item = "book", timeoutMs = 10_000 } = {}): ReturnType<typeof ask> {
  const headers = { "idempotency-key": key, "x-timeout-ms": String(timeoutMs) };
  return ask("orders", { method: "POST", headers, body: JSON.stringify({ item }) });
}

console.log("Eight customers order, and look at what they ordered. The primary is killed, and a replica promoted.");
const load = { ordered: 0, over: false };
async function customer(name: string): Promise<void> {
  for (let n = 1; !load.over; n += 1) {
    const { status, body } = await order(`${name}-${n}`);
    assert.equal(status, 201, JSON.stringify(body));
    assert.deepEqual((await ask(`orders/${(body as { readonly id: number }).id}`)).body, body);
    load.ordered += 1;
  }
}
async function hundredMore(): Promise<void> {
  for (const until = load.ordered + 100; load.ordered < until;) await once(server, "request");
}
const customers = Promise.all(["a", "b", "c", "d", "e", "f", "g", "h"].map(customer));
await hundredMore();
const next = await cluster.failover();
await hundredMore();
load.over = true;
await customers;
assert.equal(await rowsOn(next), load.ordered);
console.log(`${load.ordered} orders, and as many in the table; no request failed.`);

console.log("A customer whose patience ends while the answer to COMMIT is on its way asks again with the same key.");
const stopFreezing = next.proxy.onStatement((text) => {
  if (text.startsWith("COMMIT")) next.proxy.freeze("toClient");
});
assert.equal((await order("impatient", { timeoutMs: 1_500 })).status, 504);
// Whoever orders meanwhile has been refused before anything was done, and is told when to come again.
const { status, headers } = await order("unlucky", { timeoutMs: 100 });
assert.deepEqual([status, headers.get("retry-after")], [503, "1"]);
stopFreezing();
next.proxy.thaw();
const [first, second] = [await order("impatient"), await order("impatient")];
assert.equal(first.status, 201);
assert.deepEqual(second.body, first.body);

assert.equal((await order("late", { item: "lamp" })).status, 409);
assert.equal((await ask("orders", { method: "POST", body: "{}" })).status, 400);
for (const path of ["healthz", "readyz", "sales"]) assert.equal((await ask(path)).status, 200, path);

console.log("SIGTERM comes with a request under way: it is answered, and nobody is let in any more.");
const arrived = once(server, "request");
const last = order("last");
await arrived;
process.kill(process.pid, "SIGTERM");
assert.equal((await last).status, 201);
await ended;
await assert.rejects(fetch(url), { message: "fetch failed" });
assert.equal(await rowsOn(next), load.ordered + 2);

async function rowsOn(node: ClusterNode): Promise<unknown> {
  const [row] = await node.query("SELECT count(*)::int AS count FROM orders");
  return row?.["count"];
}
