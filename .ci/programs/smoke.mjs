/**
 * A small program on the whole stack, for every runtime: on PGlite, and on real servers that the packages bring along. What is
 * plain JavaScript here, and without `await using`, runs on the oldest Node that is supported. It must end by itself.
 */
import assert from "node:assert/strict";
import { startCluster } from "@breakwater/chaos";
import { fromPglite } from "@breakwater/pglite";
import { breakwater } from "breakwater";

/** Statements, transactions, and what a transaction leaves undone. */
async function use(db) {
  await db.query("CREATE TABLE books (id int PRIMARY KEY, title text NOT NULL)");
  await db.transaction(async (transaction) => {
    await transaction.query("INSERT INTO books VALUES ($1, $2)", [1, "Orlando"]);
    await transaction.query("INSERT INTO books VALUES ($1, $2)", [2, "The Waves"]);
  });
  const undone = db.transaction(async (transaction) => {
    await transaction.query("DELETE FROM books");
    throw new Error("changed my mind");
  });
  await assert.rejects(undone, /changed my mind/);
  await assert.rejects(db.query("INSERT INTO books VALUES (1, 'again')"), { code: "23505" });
  const { rows } = await db.query("SELECT title FROM books WHERE id = $1", [2]);
  assert.deepEqual(rows, [{ title: "The Waves" }]);
  const { rows: all } = await db.query("SELECT count(*)::int AS count FROM books");
  assert.deepEqual(all, [{ count: 2 }]);
}

/** Ends whatever connection carries out what has this mark. */
async function endBackends(cluster, mark) {
  const text = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE query LIKE '%${mark}%' AND state <> 'idle' AND pid <> pg_backend_pid()`;
  for (;;) {
    for (const node of cluster.nodes) if ((await node.query(text)).length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function onPglite() {
  const db = breakwater({ primary: fromPglite() });
  await use(db);
  await db.close();
  await assert.rejects(db.query("SELECT 1"), { code: "ERR_BREAKWATER_POOL_CLOSED" });
}

async function onServers() {
  const cluster = await startCluster({ replicas: 1 });
  try {
    const [primary, ...replicas] = cluster.nodes.map((node) => node.connectionString);
    const db = breakwater({ primary, replicas });
    let retries = 0;
    db.on("retry:scheduled", () => (retries += 1));
    await use(db);

    const read = db.query("SELECT pg_sleep(0.3), 'the read' AS what");
    await endBackends(cluster, "the read");
    assert.equal((await read).rows[0].what, "the read");

    let runs = 0;
    const count = db.transaction(async (transaction) => {
      runs += 1;
      await transaction.query("UPDATE books SET title = 'the write' WHERE id = 1");
      if (runs === 1) await endBackends(cluster, "the write");
      return (await transaction.query("SELECT count(*)::int AS count FROM books WHERE title = 'the write'")).rows[0]
        .count;
    });
    assert.equal(await count, 1);
    assert.equal(runs, 2);
    assert.ok(retries >= 1);
    await db.close();
  } finally {
    await cluster.close();
  }
}

const [where] = process.argv.slice(2);
await (where === "pglite" ? onPglite() : onServers());
console.log(`${where}: ok`);
