/**
 * Twice what a PostgreSQL can do, for some seconds, through Breakwater and through what else is put around a `pg.Pool`. The
 * server's work is to sleep, so that its capacity is known: as many statements at a time as there are connections.
 *
 *     node test/bench/overload.ts [seconds of surge] [part of a client's name]
 */
import { breakwater } from "breakwater";
import { bulkhead } from "cockatiel";
import CircuitBreaker from "opossum";
import pg from "pg";
import { startServer } from "./server.ts";

const CONNECTIONS = 10;
const SERVICE_MS = 20;
const PATIENCE_MS = 100;
const CALM_MS = 3_000;
const AFTER_MS = 3_000;
const SURGE_MS = 1_000 * Number(process.argv[2] ?? 8);
const TEXT = `SELECT pg_sleep(${SERVICE_MS / 1_000})`;

type Importance = "critical" | "normal" | "sheddable";

interface Subject {
  readonly name: string;
  readonly ask: (priority: Importance) => Promise<unknown>;
  readonly close: () => Promise<unknown>;
}

interface Answer {
  readonly startMs: number;
  readonly priority: Importance;
  readonly tookMs: number | undefined;
}

const bare = (url: string): pg.Pool => {
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
  pool.on("error", () => undefined);
  return pool;
};

const SUBJECTS: readonly ((url: string) => Subject)[] = [
  (url) => {
    const pool = bare(url);
    return { name: "pg.Pool", ask: () => pool.query(TEXT), close: () => pool.end() };
  },
  ...[1_000, 35].map((queue) => (url: string): Subject => {
    const pool = bare(url);
    const limit = bulkhead(CONNECTIONS, queue);
    const ask = (): Promise<unknown> => limit.execute(() => pool.query(TEXT));
    return { name: `cockatiel, bulkhead of ${queue}`, ask, close: () => pool.end() };
  }),
  (url) => {
    const pool = bare(url);
    const breaker = new CircuitBreaker(() => pool.query(TEXT), { timeout: PATIENCE_MS });
    const close = async (): Promise<void> => {
      breaker.shutdown();
      await pool.end();
    };
    return { name: `opossum, ${PATIENCE_MS} ms`, ask: () => breaker.fire(), close };
  },
  ...([{ bulkhead: {} }, { bulkhead: {}, adaptiveLimit: {} }] as const).map((options) => (url: string): Subject => {
    // Statements that take long gain nothing by sharing connections, and keep each other waiting there.
    const db = breakwater({ primary: url, pool: { max: CONNECTIONS }, ...options });
    const ask = (priority: Importance): Promise<unknown> => db.query(TEXT, [], { priority, timeoutMs: PATIENCE_MS });
    return { name: `Breakwater, ${Object.keys(options).join(" and ")}`, ask, close: () => db.close() };
  }),
];

/** Calls a second that are answered when there is always one waiting for each connection. */
async function capacityOf(url: string): Promise<number> {
  const pool = bare(url);
  let answered = 0;
  const end = performance.now() + 2_000;
  const caller = async (): Promise<void> => {
    for (; performance.now() < end; answered += 1) await pool.query(TEXT);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, caller));
  await pool.end();
  return answered / 2;
}

/** Half of the capacity, twice, half again, at random moments. */
async function offer({ ask }: Subject, capacity: number): Promise<Answer[]> {
  const answers: Answer[] = [];
  const calls: Promise<unknown>[] = [];
  const began = performance.now();
  let due = 0;
  for (let number = 0; due < CALM_MS + SURGE_MS + AFTER_MS; number += 1) {
    const load = due >= CALM_MS && due < CALM_MS + SURGE_MS ? 2 : 0.5;
    due += (-Math.log(1 - Math.random()) * 1_000) / (capacity * load);
    const aheadMs = due - (performance.now() - began);
    if (aheadMs > 1) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    const priority = number % 10 === 0 ? "critical" : number % 5 === 1 ? "sheddable" : "normal";
    const startMs = performance.now();
    const done = (tookMs: number | undefined): void => {
      answers.push({ startMs: startMs - began, priority, tookMs });
    };
    calls.push(
      ask(priority).then(
        () => done(performance.now() - startMs <= PATIENCE_MS ? performance.now() - startMs : undefined),
        () => done(undefined),
      ),
    );
  }
  await Promise.all(calls);
  return answers;
}

function row(name: string, answers: readonly Answer[], capacity: number): string {
  const end = CALM_MS + SURGE_MS;
  const within = (from: number, to: number): Answer[] =>
    answers.filter(({ startMs }) => startMs >= from && startMs < to);
  const surge = within(CALM_MS, end);
  const good = surge.filter(({ tookMs }) => tookMs !== undefined);
  const critical = surge.filter(({ priority }) => priority === "critical");
  const lost = critical.filter(({ tookMs }) => tookMs === undefined).length / critical.length;
  const last = Math.max(
    end,
    ...within(end, Infinity).flatMap(({ startMs, tookMs }) => (tookMs === undefined ? startMs : [])),
  );
  const cells = [
    `${((100 * good.length * 1_000) / SURGE_MS / capacity).toFixed(0)} %`,
    `${(p99(good) / p99(within(500, CALM_MS))).toFixed(2)} ×`,
    `${(100 * lost).toFixed(1)} %`,
    `${((last - end) / 1_000).toFixed(2)} s`,
  ];
  return `| ${[name, ...cells].join(" | ")} |`;
}

function p99(answers: readonly Answer[]): number {
  const sorted = answers.flatMap(({ tookMs }) => tookMs ?? []).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
}

const server = await startServer();
try {
  const capacity = await capacityOf(server.url);
  console.log(`capacity ${capacity.toFixed(0)} calls a second; PostgreSQL ${server.version}, ${SURGE_MS / 1_000} s\n`);
  console.log(
    "| client | goodput, of capacity | p99 of good answers, of calm | critical calls failed | last failure after |",
  );
  console.log("| --- | --- | --- | --- | --- |");
  for (const make of SUBJECTS) {
    const subject = make(server.url);
    if (!subject.name.includes(process.argv[3] ?? "")) {
      await subject.close();
      continue;
    }
    // Its connections are opened.
    await Promise.all(Array.from({ length: CONNECTIONS }, () => subject.ask("normal").catch(() => undefined)));
    const answers = await offer(subject, capacity);
    await subject.close();
    console.log(row(subject.name, answers, capacity));
  }
} finally {
  await server.close();
}
