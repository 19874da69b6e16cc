/**
 * Run by `leak-run.test.ts` in a process of its own, with `--expose-gc`: many operations of all kinds on a Database, on a
 * pool before it and on clients, most of them cut short in some way. Prints what there is before and after.
 *
 *     node --expose-gc leak-run.ts <connection string> <seed> <operations>
 */
import { getEventListeners, once } from "node:events";
import { setImmediate as immediate, setTimeout as delay } from "node:timers/promises";
import { asPgPool } from "@breakwater/pg";
import { breakwater } from "breakwater";
import { driverModule } from "breakwater/pg";
import { from as copyFrom } from "pg-copy-streams";
import Cursor from "pg-cursor";
import QueryStream from "pg-query-stream";
import type pg from "pg";
import { dice } from "./dice.ts";

const [url = "", seedText = "1", operationsText = "10000"] = process.argv.slice(2);
const operations = Number(operationsText);
const SERIES = "SELECT g, repeat('x', 100) AS filling FROM generate_series(1, 300) AS g";
const MAX = 8;

const random = dice(Number(seedText));
const named = (name: string): string => `${url}?application_name=${name}`;
const stack = { circuitBreaker: false, retry: { initialDelayMs: 1 } } as const;
const db = breakwater({ ...stack, primary: named("leak-run"), pool: { max: MAX } });
const pool = asPgPool(db);
const module = driverModule({ breakwater: stack });
const clients = new Set<pg.PoolClient>();
pool.on("connect", (client) => clients.add(client));
pool.on("remove", (client) => clients.delete(client));
// Of a signal that outlives its calls nothing may be left behind.
const forever = new AbortController();
const unexpected: unknown[] = [];
process.on("unhandledRejection", (reason) => unexpected.push(String(reason)));
process.on("uncaughtException", (error) => unexpected.push(String(error)));

/** Aborts at any moment, also before and after the call. */
async function aborted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const own = new AbortController();
  const timer = setTimeout(() => own.abort(new Error("enough")), random() * 6);
  try {
    return await work(own.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Reads some of it and leaves. */
async function partly(rows: AsyncIterable<unknown>, most: number): Promise<void> {
  let read = 0;
  for await (const _ of rows) if ((read += 1) >= most) break;
}

const few = (): number => Math.floor(random() * 40);

async function* numbersThatEnd(afterMany: number): AsyncGenerator<[number]> {
  for (let number = 0; number < 30; number += 1) {
    if (number === afterMany) throw new Error("the source has no more");
    yield [number];
    if (number % 10 === 0) await immediate();
  }
}

/** What people do, well and badly. Whatever it is rejected with is expected. */
const KINDS: Readonly<Record<string, () => Promise<unknown>>> = {
  "a query": () => db.query("SELECT $1::int AS one", [1], { signal: forever.signal }),
  "a query that fails": () => db.query("SELECT 1 / $1::int", [0]),
  "a query that is aborted": () => aborted((signal) => db.query("SELECT pg_sleep(0.004)", [], { signal })),
  "a query that takes too long": () => db.query("SELECT pg_sleep(0.05)", [], { timeoutMs: 3 }),
  "a query that ends its connection": () => db.query("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(1)"),
  "a wait that is too short": () => db.query("SELECT 1", [], { timeoutMs: 0.5 }),
  "one row": () => db.one("SELECT 1 AS one WHERE $1::bool", [random() < 0.5]),
  "a transaction": () =>
    db.transaction(async (tx) => {
      await tx.query("INSERT INTO kept VALUES (1)");
      if (random() < 0.5) throw new Error("changed my mind");
    }),
  "a transaction that is aborted": () =>
    aborted((signal) =>
      db.transaction((tx) => tx.query("INSERT INTO kept SELECT pg_sleep(0.003)::text::int"), { signal }),
    ),
  "a connection": async () => {
    const connection = await db.connect({ signal: forever.signal });
    await connection.query("BEGIN");
    await connection.query("SELECT 1");
    if (random() < 0.3) connection.destroy();
    else connection.release();
  },
  "a session": () => db.session().query("INSERT INTO kept VALUES (2)", [], { timeoutMs: 2 + random() * 60 }),
  "a stream": () => partly(db.stream(SERIES, [], { batchSize: 20, signal: forever.signal }), Infinity),
  "a stream that is left": () => partly(db.stream(SERIES, [], { batchSize: 20 }), 1 + few()),
  "a stream that fails": () =>
    partly(db.stream("SELECT 1 / (g - 50) FROM generate_series(1, 90) g", [], { batchSize: 7 }), Infinity),
  "a stream that is aborted": () =>
    aborted((signal) => partly(db.stream(SERIES, [], { batchSize: 5, signal }), Infinity)),
  "a stream that nobody reads": async () => void db.stream(SERIES),
  "a stream in a transaction": () =>
    db.transaction((tx) => partly(tx.stream(SERIES, [], { batchSize: 10 }), 1 + few())),
  "a batch": () => db.batch(["SELECT 1", "INSERT INTO kept VALUES (3)", random() < 0.5 ? "SELECT 1 / 0" : "SELECT 2"]),
  "many rows": () => db.executeMany("INSERT INTO kept VALUES ($1)", () => numbersThatEnd(few())),
  "many rows, aborted": () =>
    aborted((signal) => db.executeMany("INSERT INTO kept VALUES ($1)", () => numbersThatEnd(100), { signal })),
  "COPY in": () => db.copyFrom("COPY kept FROM STDIN", numbersAsText(few())),
  "COPY in, aborted": () => aborted((signal) => db.copyFrom("COPY kept FROM STDIN", numbersAsText(100), { signal })),
  "COPY out": () => partly(db.copyTo("COPY (SELECT g FROM generate_series(1, 200) g) TO STDOUT"), 1 + few()),
  "a channel": async () => {
    const heard = await db.listen(`channel_${few() % 3}`, () => undefined);
    await db.notify(heard.channel, "hello");
    await heard.unlisten();
  },
  "a channel that is given up": () =>
    aborted(async (signal) => (await db.listen("channel", () => undefined, { signal })).unlisten()),
  "pool.query": () => pool.query("SELECT $1::int", [random() < 0.5 ? 1 : "x"]),
  "pool.query with a callback": () => new Promise((resolve) => pool.query("SELECT nothing", resolve)),
  "a client in a transaction": async () => {
    const client = await pool.connect();
    try {
      await client.query("BEGIN");
      await client.query(random() < 0.5 ? "SELECT wrong" : "INSERT INTO kept VALUES (4)");
    } finally {
      client.release(random() < 0.2);
    }
  },
  "a client given back while it works": async () => {
    const client = await pool.connect();
    client.query("SELECT pg_sleep(0.002)").catch(() => undefined);
    client.release();
  },
  "a client that dies": async () => {
    const client = await pool.connect();
    try {
      await client.query("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(1)");
    } finally {
      client.release();
    }
  },
  "pg-query-stream": () => partly(pool.query(new QueryStream(SERIES, [], { batchSize: 20 })), 1 + few() * 10),
  "pg-query-stream destroyed": async () => {
    const stream = pool.query(new QueryStream(SERIES));
    if (random() < 0.5) await immediate();
    stream.destroy();
    await once(stream, "close");
  },
  "pg-cursor": async () => {
    const cursor = pool.query(new Cursor(SERIES));
    await cursor.read(7);
    await cursor.close();
  },
  "pg-copy-streams": async () => {
    const stream = pool.query(copyFrom("COPY kept FROM STDIN"));
    stream.on("error", () => undefined);
    stream.write("1\n");
    if (random() < 0.5) stream.destroy(new Error("no more"));
    else stream.end();
    await once(stream, "close");
  },
  "a Client": async () => {
    if (random() < 0.7) return;
    const client = new module.Client({ connectionString: named("leak-run-client") });
    const connecting = client.connect();
    if (random() < 0.8) await connecting;
    else connecting.catch(() => undefined);
    client.query(random() < 0.5 ? "LISTEN x" : "SET application_name = 'leak-run-client'").catch(() => undefined);
    if (random() < 0.3)
      await client.query("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(1)").catch(() => undefined);
    await client.end();
  },
};

async function* numbersAsText(afterMany: number): AsyncGenerator<string> {
  for await (const [number] of numbersThatEnd(afterMany)) yield `${number}\n`;
}

/** How often each kind of operation was done, and how many of these went well. */
type Done = Record<string, { times: number; well: number }>;

async function workThrough(count: number): Promise<Done> {
  const done: Done = {};
  const kinds = Object.entries(KINDS);
  let begun = 0;
  const worker = async (): Promise<void> => {
    while (begun < count) {
      begun += 1;
      const [kind, operation] = kinds[Math.floor(random() * kinds.length)]!;
      const counted = (done[kind] ??= { times: 0, well: 0 });
      counted.times += 1;
      await operation().then(
        () => (counted.well += 1),
        () => undefined,
      );
    }
  };
  await Promise.all(Array.from({ length: 24 }, worker));
  return done;
}

function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** Listeners on idle clients and their sockets, by event; one line for each way in which clients differ. */
function listeners(): string[] {
  const counted = (emitter: NodeJS.EventEmitter): string =>
    emitter
      .eventNames()
      .map((name) => `${String(name)} ${emitter.listenerCount(name)}`)
      .toSorted()
      .join(", ");
  const lines = [...clients].map((client) => {
    const { connection } = client as unknown as { connection: NodeJS.EventEmitter & { stream: NodeJS.EventEmitter } };
    return [client, connection, connection.stream].map(counted).join(" | ");
  });
  return [...new Set(lines)];
}

/** Waits until it is so; for what it is not, the report shows how it is instead. */
async function inTime(so: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1_000 && !(await so()); tries += 1) await delay(10);
}

/** What is there when nothing is to do. */
async function look(): Promise<object> {
  await inTime(() => db.stats().active === 0);
  // Every connection anew: those that died in the background have been noticed then.
  await Promise.all(Array.from({ length: 3 * MAX }, () => db.query("SELECT pg_sleep(0.005)")));
  await immediate();
  for (let round = 0; round < 4; round += 1) {
    (globalThis as { gc?: () => void }).gc?.();
    await delay(20);
  }
  const atServer = async (): Promise<{ open: number; inTransaction: number }> =>
    db.one<{ open: number; inTransaction: number }>(
      `SELECT count(*)::int AS open, count(*) FILTER (WHERE state LIKE 'idle in%')::int AS "inTransaction"
         FROM pg_stat_activity WHERE application_name = 'leak-run'`,
    );
  // Of what has been told to end a busy machine takes its time to see the end.
  await inTime(async () => {
    const { open, inTransaction } = await atServer();
    const { idle, total } = db.stats();
    return open <= total + 2 && inTransaction === 0 && idle === total && resources()["Timeout"] === undefined;
  });
  const { active, waiting, idle, total } = db.stats();
  const openTimers = resources()["Timeout"] ?? 0;
  const server = await atServer();
  return {
    active,
    waiting,
    allIdle: idle === total,
    ...server,
    clients: clients.size,
    total,
    timers: openTimers,
    listeners: listeners(),
    ofPool: pool.eventNames().length,
    ofStack: db.pool.events.size,
    ofSignal: getEventListeners(forever.signal, "abort").length,
    ofProcess: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
    heap: process.memoryUsage().heapUsed,
  };
}

const start = resources();
await db.query("CREATE TABLE IF NOT EXISTS kept (id int)");
// What is made once (caches, compiled code) is made by then.
await workThrough(Math.ceil(operations / 4));
const before = await look();
const done = await workThrough(operations);
const after = await look();
await pool.end();
// Clients' stacks are kept for a moment.
await delay(1_200);
await inTime(() => JSON.stringify(resources()) === JSON.stringify(start));
// Before standard output is opened: that is a resource, too.
const report = JSON.stringify({ before, after, done, unexpected, start, end: resources(), clients: clients.size });
process.stdout.write(report);
