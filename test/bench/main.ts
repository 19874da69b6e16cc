/**
 * Measures the layer against the bare pool and its peers, interleaved, as ratios within one run.
 *
 *     pnpm bench [--short] [--check] [--only <part of a case's name>] [--ours] [--write]
 *
 * `--short` takes a few seconds a case; `--check` fails when a ratio is far from what is promised, and nothing else;
 * `--ours` leaves the peers out; `--write` brings docs/benchmarks.md and its data up to date.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Client, CLIENTS, TEXTS } from "./clients.ts";
import { type Case, measure, type Table } from "./measure.ts";
import { curves } from "./curves.ts";
import { bulk } from "./bulk.ts";
import { PROMISES } from "./promises.ts";
import { page, table } from "./report.ts";
import { startServer } from "./server.ts";
import { slowNeighbour } from "./slow.ts";

const { values: flags } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    ours: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    only: { type: "string" },
  },
});

const anyId = (): number => 1 + Math.floor(Math.random() * 99_000);
const asking = (text: string, values: () => unknown[]) => (client: Client) => () => client.query(text, values());

const CASES: readonly Case[] = [
  ...[1, 16, 64].map((callers) => ({ name: "point", callers, of: asking(TEXTS.point, () => [anyId()]) })),
  ...[1, 64].map((callers) => ({ name: "one", callers, of: asking(TEXTS.one, () => []) })),
  ...[1, 16].map((callers) => ({ name: "range", callers, of: asking(TEXTS.range, () => [anyId()]) })),
  ...[1, 16].map((callers) => ({
    name: "write",
    callers,
    of: ({ write }: Client) => (write === undefined ? undefined : () => write(anyId())),
  })),
];

const server = await startServer();
const clients: Client[] = [];
try {
  for (const make of flags.ours || flags.check ? CLIENTS.slice(0, 6) : CLIENTS) clients.push(await make(server.url));
  const how = flags.short || flags.check ? { rounds: 5, sliceMs: 120 } : { rounds: 9, sliceMs: 400 };
  const tables: Table[] = [];
  for (const each of CASES) {
    if (flags.only !== undefined && !`${each.name} ${each.callers}`.includes(flags.only)) continue;
    const measured = await measure(each, clients, server, how);
    tables.push(measured);
    console.log(table(measured));
  }
  const bulkRatio = flags.only === undefined ? await bulk(clients, how.rounds) : undefined;
  if (bulkRatio !== undefined) console.log(`executeMany of 10,000 rows: ${bulkRatio.median.toFixed(1)} × one by one\n`);
  const slow = flags.only === undefined ? await slowNeighbour(clients, how.rounds) : undefined;
  if (slow !== undefined) console.log(`p99 beside a statement of 1 s: ${slow.median.toFixed(2)} × without it\n`);
  if (flags.check) {
    const broken = PROMISES.flatMap((promise) => promise(tables, bulkRatio));
    for (const line of broken) console.error(line);
    process.exitCode = broken.length === 0 ? 0 : 1;
  }
  if (flags.write) {
    const drawn = await curves(server.url, flags.short);
    const data = {
      server: server.version,
      node: process.version,
      tables,
      bulk: bulkRatio,
      slow,
      short: flags.short,
      curves: drawn,
    };
    const docs = new URL("../../docs/", import.meta.url);
    writeFileSync(new URL("benchmarks.json", docs), `${JSON.stringify(data, undefined, 1)}\n`);
    writeFileSync(new URL("benchmarks.md", docs), page(data, docs));
  }
} finally {
  await Promise.all(clients.map((client) => client.close()));
  await server.close();
}
