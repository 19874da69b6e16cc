/**
 * The reaper's own program: outlives the process that started it, and then clears up after it.
 *
 * Reads one JSON line per order from its input and answers each with its number. When the input ends, for whatever reason,
 * it ends the servers that it knows and removes their folders.
 */
import { createInterface } from "node:readline";
import { sweep } from "./sweep.ts";

/** An order to the reaper: watch over a folder, and over a postmaster whose data is below it. */
export interface Order {
  readonly id: number;
  readonly folder: string;
  readonly pid?: number;
}

const folders = new Map<string, Set<number>>();

// Whoever ends "all node processes" of a session must not end the one that clears up: it ends with its input.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE"] as const) process.on(name, () => {});
process.stdout.on("error", () => {});

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const order = JSON.parse(line) as Order;
  const pids = folders.get(order.folder) ?? new Set();
  folders.set(order.folder, pids);
  if (order.pid !== undefined) pids.add(order.pid);
  process.stdout.write(`${order.id}\n`);
});
lines.on("close", () => {
  void Promise.allSettled([...folders].map(([folder, pids]) => sweep(folder, pids))).then(() => process.exit(0));
});
process.stdout.write("0\n");
