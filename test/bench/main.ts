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
import { HOW_TO_MEASURE_AWS } from "./aws.ts";
import { bulk } from "./bulk.ts";
import { AWS, type Client, CLIENTS, PROMISED, TEXTS } from "./clients.ts";
import { curves } from "./curves.ts";
import { type Case, measure, type Table } from "./measure.ts";
import { PROMISES } from "./promises.ts";
import { bulkTable, dataText, page, slowLine, table, transactionTable } from "./report.ts";
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
  for (const make of flags.ours || flags.check ? CLIENTS.slice(0, PROMISED) : CLIENTS) {
    const client = await make(server.url);
    if (client !== undefined) clients.push(client);
  }
  if (!flags.ours && !flags.check && !clients.some(({ name }) => name === AWS))
    console.log(`${AWS}: not installed. To measure it, ${HOW_TO_MEASURE_AWS}.\n`);
  const how = flags.short || flags.check ? { rounds: 5, sliceMs: 120 } : { rounds: 9, sliceMs: 400 };
  const tables: Table[] = [];
  for (const each of CASES) {
    if (flags.only !== undefined && !`${each.name} ${each.callers}`.includes(flags.only)) continue;
    const measured = await measure(each, clients, server, how);
    tables.push(measured);
    console.log(table(measured));
  }
  const all = flags.only === undefined;
  const few = flags.short || flags.check;
  const many = all ? await bulk(server.url, few ? 3 : 7, flags.check) : undefined;
  if (many !== undefined) console.log(bulkTable(many));
  const slow = all ? await slowNeighbour(clients[1], few ? 3 : 9) : undefined;
  if (slow !== undefined) console.log(`${slowLine(slow)}\n`);
  if (flags.check) {
    const broken = PROMISES.flatMap((promise) => promise(tables, many));
    for (const line of broken) console.error(line);
    process.exitCode = broken.length === 0 ? 0 : 1;
  }
  if (flags.write) {
    const { curves: drawn, transactions } = await curves(server.url, flags.short);
    console.log(transactionTable(transactions));
    const data = {
      server: server.version,
      node: process.version,
      short: flags.short,
      tables,
      bulk: many,
      slow,
      transactions,
      curves: drawn,
    };
    const docs = new URL("../../docs/", import.meta.url);
    writeFileSync(new URL("benchmarks.json", docs), dataText(data));
    writeFileSync(new URL("benchmarks.md", docs), page(data, docs));
  }
} finally {
  await Promise.all(clients.map((client) => client.close()));
  await server.close();
}
