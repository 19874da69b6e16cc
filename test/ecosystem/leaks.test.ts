import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { type AsPgPoolOptions, asPgPool } from "@breakwater/pg";
import { breakwater, commitResolution, compose, type Database, database, fromPg, retry } from "breakwater";
import { from as copyFrom } from "pg-copy-streams";
import Cursor from "pg-cursor";
import QueryStream from "pg-query-stream";
import type pg from "pg";
import { describe, expect, it } from "vitest";
import { dice } from "./dice.ts";
import { useCluster } from "./support.ts";

const cluster = useCluster();
const OPERATIONS = 4_000;
const SERIES = "SELECT g FROM generate_series(1, 500) AS g";

interface ObservedPool {
  readonly pool: pg.Pool;
  readonly db: Database;
  readonly clients: Set<pg.PoolClient>;
}

type Misuse = (pool: pg.Pool) => Promise<unknown>;

/** What people do with pools, well and badly. Whatever it is rejected with is expected. */
const OPERATIONS_OF_PEOPLE: Readonly<Record<string, Misuse>> = {
  "a statement": (pool) => pool.query("SELECT $1::int AS one", [1]),
  "a statement that fails": (pool) => pool.query("SELECT 1 / 0"),
  "a statement with a callback that throws nothing and keeps nothing": (pool) =>
    new Promise((resolve) => pool.query("SELECT nothing", resolve)),
  "a statement that ends its own connection": (pool) =>
    pool.query("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(1)"),
  "a transaction": async (pool) => {
    const client = await pool.connect();
    await client.query("BEGIN");
    await client.query("INSERT INTO kept VALUES (1)");
    await client.query("COMMIT");
    client.release();
  },
  "a transaction that is left open": async (pool) => {
    const client = await pool.connect();
    await client.query("BEGIN");
    await client.query("INSERT INTO kept VALUES (-1)");
    client.release();
  },
  "a transaction that has failed and is left": async (pool) => {
    const client = await pool.connect();
    await client.query("BEGIN");
    await client.query("SELECT wrong").catch(() => undefined);
    client.release();
  },
  "a client that is given back with an error, twice": async (pool) => {
    const client = await pool.connect();
    client.release(new Error("of its own"));
    expect(() => client.release()).toThrow("already been released");
  },
  "a client that is given back while it works": async (pool) => {
    const client = await pool.connect();
    client.query("SELECT pg_sleep(0.002)").catch(() => undefined);
    client.release();
  },
  "a client by callback": (pool) =>
    new Promise((resolve) =>
      pool.connect((error, _client, release) => {
        release();
        resolve(error);
      }),
    ),
  "a client that dies in use": async (pool) => {
    const client = await pool.connect();
    try {
      await client.query("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(1)");
    } finally {
      client.release();
    }
  },
  "a stream that is left early": async (pool) => {
    for await (const _ of pool.query(new QueryStream(SERIES, [], { batchSize: 20 })) as AsyncIterable<unknown>) break;
  },
  "a stream that is destroyed before it has begun": async (pool) => {
    const stream = pool.query(new QueryStream(SERIES));
    stream.destroy();
    await once(stream, "close");
  },
  "a stream that fails in the middle": async (pool) => {
    const stream = pool.query(new QueryStream("SELECT 1 / (g - 50) FROM generate_series(1, 99) AS g"));
    for await (const _ of stream as AsyncIterable<unknown>);
  },
  "a cursor that is closed half way": async (pool) => {
    const cursor = pool.query(new Cursor(SERIES));
    await cursor.read(7);
    await cursor.close();
  },
  "a cursor that is closed before it has begun": (pool) => pool.query(new Cursor(SERIES)).close(),
  "a cursor that is left half way on a client": async (pool) => {
    const client = await pool.connect();
    await client.query(new Cursor(SERIES)).read(7);
    client.release();
  },
  "a COPY that is broken off": async (pool) => {
    const stream = pool.query(copyFrom("COPY kept FROM STDIN"));
    stream.on("error", () => undefined);
    stream.write("1\n");
    stream.destroy(new Error("no more"));
    await once(stream, "close");
  },
};

/** Listeners on clients that are idle, by event: what is added for a call must be gone after it. */
function listenersOf(clients: Iterable<pg.PoolClient>): Set<string> {
  const counts = [...clients].map((client) =>
    client
      .eventNames()
      .map((name) => `${String(name)} ${client.listenerCount(name)}`)
      .toSorted()
      .join(", "),
  );
  return new Set(counts);
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

async function openOnServer(): Promise<number> {
  const [row] = await cluster().primary.query<{ open: number }>(
    "SELECT count(*)::int AS open FROM pg_stat_activity WHERE application_name = 'leaks'",
  );
  return row?.open ?? -1;
}

/** Stacks with room for five connections, from the barest to the recommended one. */
const STACKS: readonly (readonly [name: string, make: (url: string) => Database, options: AsPgPoolOptions])[] = [
  ["the adapter alone", (url) => database(fromPg({ connectionString: url, max: 5 })), {}],
  [
    "a stack that resolves commits, with exactlyOnce",
    (url) => {
      const stack = compose(retry({ maxRetries: 1 }), commitResolution());
      return database(stack(fromPg({ connectionString: url, max: 5 })));
    },
    { exactlyOnce: true },
  ],
  ["the recommended stack", (url) => breakwater({ primary: url, pool: { max: 5 }, circuitBreaker: false }), {}],
];

/** A pool on a stack, and all of its clients that are open. */
function observedPool(make: (url: string) => Database, options: AsPgPoolOptions): ObservedPool {
  const db = make(`${cluster().primary.directConnectionString}?application_name=leaks`);
  const pool = asPgPool(db, options);
  const clients = new Set<pg.PoolClient>();
  pool.on("connect", (client) => clients.add(client));
  pool.on("remove", (client) => clients.delete(client));
  return { pool, db, clients };
}

describe.each(STACKS)("%s", (name, make, options) => {
  const seed = STACKS.findIndex(([other]) => other === name) + 1;

  it(`leaves nothing behind after ${OPERATIONS} operations of all kinds (seed ${seed})`, async () => {
    const before = timers();
    const { pool, db, clients } = observedPool(make, options);
    await pool.query("CREATE TABLE IF NOT EXISTS kept (id int)");
    await pool.query("TRUNCATE kept");
    (await pool.connect()).release();
    // What is there for no longer than a moment is gone by then.
    await setImmediate();
    const [fresh] = listenersOf(clients);
    const random = dice(seed);
    const operations = Object.entries(OPERATIONS_OF_PEOPLE);
    let begun = 0;
    const done = new Map<string, number>();
    const worker = async (): Promise<void> => {
      while (begun < OPERATIONS) {
        begun += 1;
        const [kind, operation] = operations[Math.floor(random() * operations.length)]!;
        await operation(pool).catch(() => undefined);
        done.set(kind, (done.get(kind) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 20 }, worker));
    expect(done.size).toBe(operations.length);

    await expect.poll(() => db.stats().active).toBe(0);
    // One that was being opened for somebody who was served otherwise comes to be idle, too.
    await expect.poll(() => db.stats()).toMatchObject({ waiting: 0, connecting: 0 });
    expect(db.stats().idle).toBe(pool.totalCount);
    expect(pool.totalCount).toBeLessThanOrEqual(5);
    // Whatever state the last holders left them in, they serve.
    await Promise.all(Array.from({ length: 20 }, () => pool.query("SELECT 1")));
    await setImmediate();
    expect(listenersOf(clients)).toEqual(new Set([fresh]));
    const { rows } = await pool.query("SELECT count(*)::int AS kept, min(id) AS least FROM kept");
    expect(rows).toEqual([{ kept: done.get("a transaction"), least: 1 }]);

    await pool.end();
    expect(clients.size).toBe(0);
    await expect.poll(openOnServer).toBe(0);
    await expect.poll(timers).toBeLessThanOrEqual(before);
  }, 240_000);
});
