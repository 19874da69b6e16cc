/** Prints what the fault proxy adds to a query, in milliseconds, with no fault on and with one that does not strike. */
import { startCluster } from "@breakwater/chaos";
import pg from "pg";

const ROUNDS = 40;
const QUERIES = 250;

/** The number below which a share of the numbers lies. */
function quantile(numbers: readonly number[], share: number): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * share)] ?? 0;
}

await using cluster = await startCluster({ replicas: 0 });
const { primary } = cluster;
const ways = [
  { name: "direct", target: primary.directConnectionString, watched: false },
  { name: "proxy", target: primary.connectionString, watched: false },
  { name: "proxy, a fault on", target: primary.connectionString, watched: true },
];
const cases = await Promise.all(
  ways.map(async (way) => {
    const client = new pg.Client(way.target);
    await client.connect();
    return { ...way, client, times: [] as number[] };
  }),
);
// The ways take turns, so that a busy machine slows all of them alike.
for (let round = 0; round < ROUNDS; round += 1) {
  for (const { client, times, watched } of cases) {
    const fault = watched ? primary.proxy.dropReply({ to: /never/ }) : undefined;
    for (let query = 0; query < QUERIES; query += 1) {
      const begin = performance.now();
      await client.query({ name: "one", text: "SELECT $1::int AS one", values: [query] });
      if (round > 3) times.push(performance.now() - begin);
    }
    fault?.off();
  }
}
const [direct, ...proxied] = cases.map(({ name, times }) => ({
  name,
  half: quantile(times, 0.5),
  most: quantile(times, 0.99),
}));
console.log(`direct: p50 ${direct?.half.toFixed(3)} ms, p99 ${direct?.most.toFixed(3)} ms`);
for (const { name, half, most } of proxied) {
  console.log(
    `${name}: +${(half - (direct?.half ?? 0)).toFixed(3)} ms at p50, +${(most - (direct?.most ?? 0)).toFixed(3)} ms at p99`,
  );
}
await Promise.all(cases.map(({ client }) => client.end()));
