/**
 * Shows three policies around one `pg.Pool`, put together by hand: time for each attempt, a breaker, and retries around
 * both, on a real server that crashes and comes back while calls are made.
 */
import assert from "node:assert/strict";
import { compose, database } from "@breakwater/core";
import { fromPg } from "@breakwater/pg";
import { circuitBreaker, retry, timeout } from "@breakwater/policies";
import { startCluster } from "@breakwater/chaos";
import pg from "pg";

await using cluster = await startCluster({ replicas: 0 });
const [server] = cluster.nodes;
if (server === undefined) throw new Error("a cluster has a node");

const pool = fromPg(new pg.Pool({ connectionString: server.connectionString, max: 5 }), { name: "books" });
const stack = compose(
  retry({ maxRetries: 20, initialDelayMs: 100, maxDelayMs: 1_000 }),
  circuitBreaker({ breakMs: 500 }),
  timeout({ limitMs: 2_000 }),
);
await using db = database(stack(pool));

db.on("retry:scheduled", ({ attempt, delayMs, failure }) =>
  console.log(`  attempt ${attempt} in ${delayMs} ms: ${failure.reason}`),
);
db.on("circuit-breaker:opened", ({ breakMs }) => console.log(`  circuit open for ${breakMs} ms`));
db.on("circuit-breaker:closed", () => console.log("  circuit closed"));

await db.query("CREATE TABLE books (id int PRIMARY KEY, title text NOT NULL)");
await db.query("INSERT INTO books VALUES ($1, $2)", [1, "The Waves"]);

console.log("The server crashes, and is started again a second later.");
await server.kill();
const back = new Promise<void>((resolve, reject) => {
  setTimeout(() => void server.start().then(resolve, reject), 1_000);
});

const { rows } = await db.query<{ title: string }>("SELECT title FROM books WHERE id = $1", [1]);
console.log(`The read that was asked for meanwhile: ${rows[0]?.title}`);
assert.equal(rows[0]?.title, "The Waves");
await back;
console.log(
  db
    .stats()
    .policies.map(({ policy }) => policy)
    .join(" around "),
);
