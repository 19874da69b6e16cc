/** Shows an adapter that was written outside the project, and how its author finds out that it is right. */
import { startCluster } from "@breakwater/chaos";
import { database } from "@breakwater/core";
import { adapterConformance } from "@breakwater/core/testing";
import { postgresServer } from "@breakwater/postgres/testing";
import { fromToy } from "./adapter.ts";

await using cluster = await startCluster({ replicas: 0 });
const startup = { user: "postgres", database: "postgres", application_name: "toy" };
const source = { host: "127.0.0.1", port: cluster.primary.port, startup };

const tests = adapterConformance({
  server: () => postgresServer((text, values) => cluster.primary.query(text, [...(values ?? [])]), "toy"),
  pool: ({ max, acquireTimeoutMs, lifecycle }) => fromToy(source, { max, acquireTimeoutMs, ...lifecycle }),
  cannot: { names: "the toy prepares nothing" },
});

for (const { name, skipped, run } of tests) {
  if (skipped === undefined) await run();
  console.log(skipped === undefined ? `ok: ${name}` : `skipped: ${name} (${skipped})`);
}

await using db = database(fromToy(source));
console.log((await db.query("SELECT $1::text AS says", ["hello from a toy"])).rows);
