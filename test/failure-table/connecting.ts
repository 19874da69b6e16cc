/** Scenarios about getting a connection at all: addresses, logins, refusals, full pools, and wrong use of the driver. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, Socket } from "node:net";

import pg from "pg";

import { errorOf, type Lab, type Session } from "./lab.ts";
import { ACQUIRE, type Observation } from "./law.ts";
import type { Scenario } from "./scenario.ts";

/** Connects where it must fail. */
async function refused(config: pg.ClientConfig): Promise<unknown> {
  const client = new pg.Client({ user: "postgres", database: "postgres", ...config });
  client.on("error", () => {});
  try {
    return await errorOf(client.connect());
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve) =>
    server.listen(0, () => resolve((server.address() as { port: number }).port)),
  );
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const unanswered: Scenario = {
  name: "addresses where nobody answers",
  async run() {
    const port = await closedPort();
    const phase = "connect";
    const seen: Observation[] = [];
    const alone = await refused({ host: "127.0.0.1", port });
    seen.push({ row: "ECONNREFUSED", column: "C", law: "other", error: alone });
    seen.push({ row: "ECONNREFUSED", column: "W", law: "other drop", error: alone, phase });
    const named = await refused({ host: "db.breakwater.invalid", port });
    const busy = (named as { code?: string }).code === "EAI_AGAIN";
    seen.push({ row: busy ? "EAI_AGAIN" : "ENOTFOUND", column: "C", law: busy ? "same" : "other slow", error: named });
    return seen;
  },
};

/** Two addresses for one name, as `localhost` has on many machines: Node.js tries both and collects the failures. */
function twoAddresses(): Socket {
  const socket = new Socket();
  const connect = socket.connect.bind(socket);
  const addresses = ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 }));
  const twice = (port: number): Socket =>
    connect({
      port,
      host: "db.test",
      autoSelectFamily: true,
      lookup: (_name, _options, done) => done(null, addresses),
    });
  return Object.assign(socket, { connect: twice as typeof socket.connect });
}

const dualStack: Scenario = {
  name: "a name with two addresses",
  async run() {
    const error = await refused({ host: "db.test", port: await closedPort(), stream: twoAddresses });
    if (!(error instanceof AggregateError) || error.errors.length !== 2)
      throw new Error(`not an AggregateError: ${String(error)}`);
    return [{ row: "ECONNREFUSED", column: "C", law: "other", error }];
  },
};

const silent: Scenario = {
  name: "a listener that stays silent",
  async run() {
    const server = createServer(() => {});
    const port = await new Promise<number>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
    });
    const limits = { host: "127.0.0.1", port, connectionTimeoutMillis: 60 };
    const pool = new pg.Pool({ ...limits, user: "postgres" });
    try {
      const client = await refused(limits);
      const pooled = await errorOf(pool.connect());
      const row = "pg no connection in time";
      return [
        { row, column: "C", law: "other", error: client },
        { row, column: "C", law: "other", error: pooled },
        { row, column: "B", law: "other", error: pooled, at: ACQUIRE, phase: "connect" },
      ];
    } finally {
      await pool.end();
      server.close();
    }
  },
};

/** Asks one role for a password: the file is read from top to bottom. */
async function withPassword<T>(lab: Lab, work: () => Promise<T>): Promise<T> {
  const [row] = await lab.primary.query<{ file: string }>("select current_setting('hba_file') as file");
  const file = row?.file ?? "";
  const before = readFileSync(file, "utf8");
  writeFileSync(file, "host all locked 127.0.0.1/32 scram-sha-256\n");
  appendFileSync(file, before);
  try {
    await lab.primary.query("select pg_reload_conf()");
    return await work();
  } finally {
    writeFileSync(file, before);
    await lab.primary.query("select pg_reload_conf()");
  }
}

const logins: Scenario = {
  name: "logins that are refused",
  async run(lab) {
    const to = { host: "127.0.0.1", port: lab.primary.directPort };
    const seen: Observation[] = [];
    const no = (row: string, error: unknown): void => void seen.push({ row, column: "C", law: "no", error });
    no("3D000", await refused({ ...to, database: "nowhere" }));
    no("28", await refused({ ...to, user: "nobody" }));
    no("startup parameter", await refused({ ...to, options: "-c nonsense=1" }));
    no("startup parameter", await refused({ ...to, options: "-c work_mem=much" }));
    no("pg no TLS", await refused({ ...to, ssl: true }));
    seen.push({ row: "53300", column: "C", law: "same", error: await refused({ ...to, user: "limited" }) });
    await withPassword(lab, async () => {
      no("28", await refused({ ...to, user: "locked", password: "wrong" }));
      no("pg login", await refused({ ...to, user: "locked" }));
      // After authentication_timeout the server ends the connection without a word.
      const never = (): Promise<string> => new Promise(() => {});
      const late = await refused({ ...to, user: "locked", password: never });
      seen.push({ row: "pg connection lost", column: "C", law: "other", error: late });
    });
    return seen;
  },
};

const stopping: Scenario = {
  name: "a server that is stopping",
  async run(lab) {
    const node = lab.primary;
    const session = await lab.open(node);
    // A smart shutdown waits for those who are connected and lets nobody else in.
    process.kill(node.pid ?? 0, "SIGTERM");
    let error: unknown;
    do error = await refusedOrLate({ host: "127.0.0.1", port: node.directPort });
    while (error === undefined);
    await session.client.end();
    await node.stop("fast");
    await node.start();
    return [
      { row: "57P03", column: "C", law: "other", error },
      { row: "57P03", column: "B", law: "other drop", error, at: ACQUIRE, phase: "connect" },
    ];
  },
};

/** The error of connecting; undefined while it still succeeds. */
async function refusedOrLate(config: pg.ClientConfig): Promise<unknown> {
  const client = new pg.Client({ user: "postgres", database: "postgres", ...config });
  client.on("error", () => {});
  return client.connect().then(
    () => client.end(),
    (error: unknown) => error,
  );
}

const pools: Scenario = {
  name: "a pool that is full or has ended",
  async run(lab) {
    const to = { host: "127.0.0.1", port: lab.primary.directPort, user: "postgres", database: "postgres" };
    const pool = new pg.Pool({ ...to, max: 1, connectionTimeoutMillis: 1000 });
    const held = await pool.connect();
    const full = await errorOf(pool.query("select 1"));
    held.release();
    await pool.end();
    const ended = await errorOf(pool.connect());
    return [
      { row: "pg pool exhausted", column: "B", law: "same", error: full, at: ACQUIRE },
      { row: "pg pool exhausted", column: "W", law: "same", error: full, phase: "acquire" },
      { row: "pg pool ended", column: "B", law: "no", error: ended, at: ACQUIRE },
    ];
  },
};

const misuse: Scenario = {
  name: "calls that the driver itself refuses",
  async run(lab) {
    const session: Session = await lab.open(lab.primary);
    await session.client.query({ name: "one", text: "select 1" });
    const row = "pg wrong use";
    const phase = "unsent";
    const values = await errorOf(session.client.query({ text: "select $1", values: "x" as unknown as string[] }));
    const twice = await errorOf(session.client.query({ name: "one", text: "select 2" }));
    return [
      { row, phase, column: "W", law: "no", error: values, session },
      { row, phase, column: "W", law: "no", error: twice, session },
    ];
  },
};

/** Before there is a connection. */
export const connectingScenarios: readonly Scenario[] = [
  unanswered,
  dualStack,
  silent,
  logins,
  pools,
  misuse,
  stopping,
];
