/**
 * Shows a function on a serverless platform, which this program plays: an instance is started, called, frozen while its
 * connections are cut and its password is changed, called again, short of time, and ends when nobody calls it any more.
 */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { startCluster } from "@breakwater/chaos";
import { ledgerTableSql } from "breakwater";
import type { Answer, Event } from "./handler.ts";

let password = "the first";
await using cluster = await startCluster({ replicas: 0, password: "of the owner" });
const { primary } = cluster;
await primary.query(`CREATE ROLE app LOGIN PASSWORD '${password}'`);
await primary.query("CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY, item text)");
await primary.query(ledgerTableSql());
await primary.query("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app");

await using vault = createServer((_, response) => response.end(password));
await once(vault.listen(0, "127.0.0.1"), "listening");

const VAULT_URL = `http://127.0.0.1:${(vault.address() as AddressInfo).port}`;
const server = { PGHOST: "127.0.0.1", PGPORT: String(primary.port), PGDATABASE: "postgres", PGUSER: "app" };
const instance = fork(new URL("./instance.ts", import.meta.url), { env: { ...process.env, ...server, VAULT_URL } });

const gone = new AbortController();
instance.once("exit", () => gone.abort());

/** Calls the handler; without an event, what is to be done before a freeze. */
async function call(event?: Event, limitMs = 30_000): Promise<Answer> {
  instance.send({ event, limitMs });
  const [answer] = await once(instance, "message", gone);
  return answer as Answer;
}

async function connections(): Promise<unknown> {
  const [row] = await primary.query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'app'");
  return row?.["n"];
}

console.log("A cold start, and a warm call.");
assert.deepEqual(await call({ requestId: "a", item: "book" }), { statusCode: 201, body: { id: 1 } });
assert.deepEqual(await call({ requestId: "b", item: "book" }), { statusCode: 201, body: { id: 2 } });

console.log("The instance is frozen. Meanwhile its connections are cut, and its password is changed.");
instance.kill("SIGSTOP");
try {
  primary.proxy.cutAll();
  password = "the second";
  await primary.query(`ALTER ROLE app PASSWORD '${password}'`);
} finally {
  instance.kill("SIGCONT");
}
assert.deepEqual(await call({ requestId: "c", item: "book" }), { statusCode: 201, body: { id: 3 } });

console.log(
  "The server is slow, and the time runs out: the handler says so before it is cut off, and is called again.",
);
primary.proxy.freeze("toClient");
assert.deepEqual(await call({ requestId: "d", item: "book" }, 500), { statusCode: 503 });
primary.proxy.thaw();
const again = await call({ requestId: "d", item: "book" });
assert.equal(again.statusCode, 201);
assert.deepEqual(await call({ requestId: "d", item: "book" }), again);

console.log("It leaves no connection behind when it is told to, and keeps no process alive when it is not.");
await call();
while ((await connections()) !== 0);
assert.equal((await call({ requestId: "e", item: "book" })).statusCode, 201);
instance.disconnect();
assert.deepEqual(await once(instance, "exit"), [0, null]);
assert.deepEqual(await primary.query("SELECT count(*)::int AS orders FROM orders"), [{ orders: 5 }]);
