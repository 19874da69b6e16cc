import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { useCluster } from "./support.ts";

const cluster = useCluster();
const OPERATIONS = 10_000;
const SEED = Number(process.env["LEAK_SEED"] ?? 1);

/** Most that the heap may have grown by, in bytes: far less than the smallest object that each operation could leave. */
const MAX_GROWN = 3_000_000;

interface Look {
  readonly active: number;
  readonly waiting: number;
  readonly open: number;
  readonly total: number;
  readonly clients: number;
  readonly timers: number;
  readonly listeners: readonly string[];
  readonly ofPool: number;
  readonly ofStack: number;
  readonly ofSignal: number;
  readonly ofProcess: number;
  readonly heap: number;
}

interface Report {
  readonly before: Look;
  readonly after: Look;
  readonly done: Readonly<Record<string, { readonly times: number; readonly well: number }>>;
  readonly unexpected: readonly string[];
  readonly start: object;
  readonly end: object;
  readonly clients: number;
}

describe(`${OPERATIONS} operations on a Database, its pool and clients, most of them cut short (seed ${SEED})`, () => {
  it("leave no connection, listener, timer or memory behind", async () => {
    const script = fileURLToPath(new URL("leak-run.ts", import.meta.url));
    const url = cluster().primary.directConnectionString;
    const given = ["--expose-gc", "--no-warnings", script, url, String(SEED), String(OPERATIONS)];
    const { stdout } = await promisify(execFile)(process.execPath, given, { maxBuffer: 10_000_000 });
    const { before, after, done, unexpected, start, end, clients } = JSON.parse(stdout) as Report;

    const kinds = Object.values(done);
    expect(kinds.reduce((sum, { times }) => sum + times, 0)).toBe(OPERATIONS);
    // Most kinds are made to fail at times, and all of them together must have been no idle run.
    expect(kinds.reduce((sum, { well }) => sum + well, 0)).toBeGreaterThan(OPERATIONS / 4);
    expect(unexpected).toEqual([]);

    for (const look of [before, after]) {
      expect(look).toMatchObject({ active: 0, waiting: 0, allIdle: true, inTransaction: 0, timers: 0, ofSignal: 0 });
      expect(look.clients).toBe(look.total);
      expect(look.total).toBeLessThanOrEqual(8);
      // Those of the pool and one for probes; one that has been told to end may take a moment.
      expect(look.open).toBeLessThanOrEqual(10);
      // All clients are alike, however old they are and whatever has been done over them.
      expect(look.listeners).toHaveLength(1);
    }
    const { listeners, ofPool, ofStack, ofProcess } = before;
    expect(after).toMatchObject({ listeners, ofPool, ofStack, ofProcess });
    expect(after.heap - before.heap).toBeLessThan(MAX_GROWN);
    expect(clients).toBe(0);
    expect(end).toEqual(start);
    const left = "SELECT count(*)::int AS open FROM pg_stat_activity WHERE application_name LIKE 'leak-run%'";
    await expect.poll(() => cluster().primary.query(left)).toEqual([{ open: 0 }]);
  }, 240_000);
});
