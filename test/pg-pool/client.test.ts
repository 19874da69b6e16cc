import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Client, Pool } from "@breakwater/pg";
import { type Database, database, fromPg, policy, retry } from "breakwater";
import driver, * as module from "breakwater/pg";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { dice } from "../ecosystem/dice.ts";
import { useServer } from "./support.ts";

const server = useServer();

interface Seen {
  readonly kind: string;
  readonly access: string;
  readonly text: string | undefined;
}

type ClientConfig = ConstructorParameters<typeof Client>[0];

/** A configuration whose clients stand on a stack that writes down what passes through it. */
function observed(extra: object = {}): {
  config: Exclude<ClientConfig, string | undefined>;
  seen: Seen[];
  stacks: Database[];
} {
  const seen: Seen[] = [];
  const stacks: Database[] = [];
  const watch = policy("watch", (operation, next) => {
    const { kind, access } = operation;
    seen.push({ kind, access, text: kind === "query" ? operation.statement.text : undefined });
    return next(operation);
  });
  const again = retry({ initialDelayMs: 5 });
  const stack = (source: Parameters<typeof fromPg>[0]): Database => {
    const db = database(again(watch(fromPg(source))));
    stacks.push(db);
    return db;
  };
  return { config: { connectionString: server().directConnectionString, stack, ...extra }, seen, stacks };
}

async function connected(config: ClientConfig): Promise<pg.Client> {
  const client = new Client(config);
  await client.connect();
  return client;
}

async function pidOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  return rows[0]!.pid;
}

/** Its end; to wait with `once` would be to hear errors. */
function endOf(client: pg.Client): Promise<void> {
  return new Promise((resolve) => client.on("end", resolve));
}

/** Ends a server process and waits until the client's link has heard of it. */
async function kill(client: pg.Client): Promise<void> {
  const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
  const ended = new Promise((resolve) => connection.once("end", resolve));
  await server().query(`SELECT pg_terminate_backend(${await pidOf(client)})`);
  await ended;
}

describe("breakwater/pg", () => {
  it("has everything that pg has, by name, as a whole, and in a copy", () => {
    expect(Object.keys(module)).toEqual(expect.arrayContaining(Object.keys(pg).filter((key) => key in module)));
    const missing = Object.getOwnPropertyNames(pg).filter((key) => !Object.hasOwn(driver, key));
    expect(missing).toEqual([]);
    expect(Object.keys({ ...driver })).toEqual(Object.keys({ ...pg }));
    for (const key of Object.getOwnPropertyNames(pg).filter((name) => name !== "Pool" && name !== "Client")) {
      expect(driver[key as keyof typeof driver], key).toBe(pg[key as keyof typeof pg]);
    }
    for (const made of [driver, { ...driver }, driverOf()]) {
      expect(new made.Client()).toBeInstanceOf(pg.Client);
      expect(new made.Pool()).toBeInstanceOf(pg.Pool);
    }
    expect(module.Client).toBe(driver.Client);
    expect((driver.Client as unknown as typeof pg.Client & { Query: unknown }).Query).toBe(pg.Query);
  });

  function driverOf(): typeof driver {
    return module.driverModule({ breakwater: { name: "shop" }, face: { label: "orders", keepAfterError: true } });
  }

  it("has the names by which libraries tell a pool from a client", () => {
    for (const made of [driver, driverOf(), { Pool, Client }]) {
      expect(made.Client.name).toBe(pg.Client.name);
      expect(made.Pool.name).toBe("Pool");
    }
  });

  it("refuses wrong options at once", () => {
    expect(() => new Client({ face: { drainMs: -1 } })).toThrow(/drainMs/);
    expect(() => new Client({ face: { wrong: 1 } as object })).toThrow(/wrong is unknown/);
  });

  it("makes a driver module whose clients have its options, and those of a library besides", async () => {
    const shop = module.driverModule({
      breakwater: { commitResolution: { exactlyOnce: true } },
      face: { exactlyOnce: true },
    });
    const client = new shop.Client({
      connectionString: server().directConnectionString,
      application_name: "by-library",
    });
    await client.connect();
    await client.query("CREATE TABLE by_module (number text, name text)");
    await client.query("INSERT INTO by_module SELECT 'x', current_setting('application_name')");
    expect((await client.query("SELECT name FROM by_module")).rows).toEqual([{ name: "by-library" }]);
    await client.end();
  });
});

describe("a Client on a stack", () => {
  it("connects, asks and ends by promises, as pg's", async () => {
    const client = new Client(server().directConnectionString);
    expect(client).toBeInstanceOf(pg.Client);
    const events: string[] = [];
    for (const name of ["connect", "end", "drain"]) client.on(name as "end", () => events.push(name));
    await client.connect();
    expect(client).toHaveProperty("processID", await pidOf(client));
    expect((await client.query("SELECT $1::int AS one", [1])).rows).toEqual([{ one: 1 }]);
    expect((await client.query({ text: "SELECT 1, 2", rowMode: "array" })).rows).toEqual([[1, 2]]);
    expect((await client.query({ name: "one", text: "SELECT 1 AS one" })).rows).toEqual([{ one: 1 }]);
    await expect(client.query("SELECT 1 / 0")).rejects.toMatchObject({ code: "22012", name: "error" });
    await expect(client.query("SELECT 1 / 0")).rejects.toBeInstanceOf(pg.DatabaseError);
    const ended = endOf(client);
    await client.end();
    await ended;
    await client.end();
    expect(events.filter((name) => name !== "drain")).toEqual(["connect", "end"]);
    expect(events).toContain("drain");
    await expect(client.query("SELECT 1")).rejects.toThrow("Client was closed and is not queryable");
    await expect(client.connect()).rejects.toThrow("Client has already been connected. You cannot reuse a client.");
  });

  it("connects, asks and ends by callbacks, as pg's", async () => {
    const client = new Client(server().directConnectionString);
    const rows = await new Promise((resolve, reject) => {
      client.connect((failed?: Error) => {
        if (failed) return reject(failed);
        client.query("SELECT $1::int AS one", [1], (error, result) => (error ? reject(error) : resolve(result.rows)));
      });
    });
    expect(rows).toEqual([{ one: 1 }]);
    const error = await new Promise((resolve) => client.query("SELECT 1 / 0", (failed) => resolve(failed)));
    expect(error).toMatchObject({ code: "22012" });
    const named = await new Promise((resolve) =>
      client.query({
        text: "SELECT 2 AS two",
        callback: (_: Error, result: pg.QueryResult) => resolve(result.rows),
      } as never),
    );
    expect(named).toEqual([{ two: 2 }]);
    await new Promise<void>((resolve) => client.end(() => resolve()));
    expect(() => client.query(undefined as never)).toThrow(TypeError);
  });

  it("sends what was asked for before it was connected, in order", async () => {
    const client = new Client(server().directConnectionString);
    const asked = [
      client.query("SELECT 1 AS at"),
      client.query("BEGIN"),
      client.query("SELECT 2 AS at"),
      client.query("COMMIT"),
    ];
    await client.connect();
    expect((await Promise.all(asked)).map(({ command }) => command)).toEqual(["SELECT", "BEGIN", "SELECT", "COMMIT"]);
    await client.end();
    const never = new Client(server().directConnectionString);
    const vain = never.query("SELECT 1");
    await never.end();
    await expect(vain).rejects.toThrow("not queryable");
  });

  it("tells why it cannot connect, by promise and by callback, before it tells of its end", async () => {
    const { config } = observed({ connectionString: "postgres://nobody@127.0.0.1:1/none", stack: undefined });
    await expect(connected({ ...config, stack: (source) => database(fromPg(source)) })).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
    const heard: string[] = [];
    const client = new Client({ ...config, stack: (source) => database(fromPg(source)) });
    const ended = endOf(client);
    client.connect((error?: { code?: string } | null) => void heard.push(error?.code ?? "none"));
    client.on("end", () => heard.push("end"));
    await ended;
    expect(heard).toEqual(["ECONNREFUSED", "end"]);
    await client.end();
  });

  it("is given up while it connects, which nobody has to hear of", async () => {
    const client = new Client({ ...observed().config });
    const connecting = client.connect();
    await client.end();
    await expect(connecting).rejects.toThrow("Connection terminated");
    const unheard = new Client(observed().config);
    void unheard.connect();
    await unheard.end();
  });

  it("does what has been asked for before it ends", async () => {
    const client = new Client(observed().config);
    const connecting = client.connect();
    const asked = [client.query("SELECT 1 AS at"), client.query("SELECT 2 AS at")];
    await client.end();
    await connecting;
    expect((await Promise.all(asked)).map(({ rows }) => rows as unknown)).toEqual([[{ at: 1 }], [{ at: 2 }]]);
  });

  it("cuts off what does not end in time", async () => {
    const client = await connected({ ...observed().config, face: { drainMs: 20 } });
    const [slow] = await Promise.allSettled([client.query("SELECT pg_sleep(60)"), client.end()]);
    expect(slow).toMatchObject({ status: "rejected", reason: { message: "Connection terminated" } });
  });

  it("tells by the stack of an error who asked", async () => {
    const client = await connected(observed().config);
    const pool = new Pool({ connectionString: server().directConnectionString });
    async function whoAsked(asked: Pick<pg.Client, "query">): Promise<void> {
      await asked.query("SELECT nothing");
    }
    for (const asked of [client, pool]) {
      const error: unknown = await whoAsked(asked as pg.Client).catch((reason: unknown) => reason);
      expect((error as Error).stack).toContain("whoAsked");
    }
    await client.end();
    await pool.end();
  });

  it("sends single statements through the stack, and transactions over its own connection", async () => {
    const { config, seen } = observed();
    const client = await connected(config);
    await client.query("CREATE TABLE of_client (id int)");
    await client.query("INSERT INTO of_client VALUES (1)");
    await client.query("BEGIN");
    await client.query("INSERT INTO of_client VALUES (2)");
    await expect(client.query("SELECT 1 / 0")).rejects.toMatchObject({ code: "22012" });
    await expect(client.query("SELECT 1")).rejects.toMatchObject({ code: "25P02" });
    await client.query("ROLLBACK");
    expect((await client.query("SELECT id FROM of_client")).rows).toEqual([{ id: 1 }]);
    expect(seen.map(({ kind, access, text }) => text ?? `${kind} ${access}`)).toEqual([
      "session write",
      "CREATE TABLE of_client (id int)",
      "INSERT INTO of_client VALUES (1)",
      "SELECT id FROM of_client",
    ]);
    await client.end();
  });

  it("keeps one connection, on which its settings and temporary tables stay", async () => {
    const { config, stacks } = observed();
    const client = await connected(config);
    const pid = await pidOf(client);
    await client.query("SET application_name = 'steady'");
    await client.query("CREATE TEMP TABLE own (id int)");
    await client.query("INSERT INTO own VALUES (1)");
    expect((await client.query("SELECT id, current_setting('application_name') AS name FROM own")).rows).toEqual([
      { id: 1, name: "steady" },
    ]);
    expect(await pidOf(client)).toBe(pid);
    expect(stacks[0]!.stats()).toMatchObject({ total: 1, active: 1 });
    await client.end();
  });

  it("reads values in its own way, as it is told by types and setTypeParser", async () => {
    const types = { getTypeParser: () => (text: string) => `<${text}>` };
    const own = await connected({ ...observed().config, types });
    expect((await own.query("SELECT 1 AS one")).rows).toEqual([{ one: "<1>" }]);
    await own.end();
    const client = await connected(observed().config);
    client.setTypeParser(pg.types.builtins.INT4, (text) => `int ${text}`);
    expect((await client.query("SELECT 1 AS one, $1::text AS two", ["x"])).rows).toEqual([{ one: "int 1", two: "x" }]);
    await client.query("BEGIN");
    expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: "int 1" }]);
    await client.end();
  });

  it("hears notices and notifications", async () => {
    const client = await connected(observed().config);
    const notices: unknown[] = [];
    client.on("notice", ({ message }) => notices.push(message));
    await client.query("DO $$ BEGIN RAISE NOTICE 'look'; END $$");
    await client.query("LISTEN news");
    const heard = once(client, "notification");
    await server().query("NOTIFY news, 'today'");
    expect(await heard).toMatchObject([{ channel: "news", payload: "today" }]);
    expect(notices).toEqual(["look"]);
    await client.end();
  });
});

describe("the same statements on pg's Client and on one of a stack", () => {
  const STATEMENTS = [
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT here",
    "ROLLBACK TO here",
    "INSERT INTO same VALUES (1) RETURNING id",
    "UPDATE same SET id = id + 1",
    "SELECT count(*)::int AS count, sum(id)::int AS sum FROM same",
    "SELECT 1 / 0",
    "SELECT nothing",
    "SELECT $1::int AS given",
    "SET TIME ZONE 'Asia/Tokyo'",
    "SET LOCAL TIME ZONE 'UTC'",
    "SHOW TIME ZONE",
    "SELECT extract(timezone FROM now())::int AS east",
    "BEGIN; SELECT 1 / 0",
    "SELECT 1 AS one; SELECT 2 AS two",
    "",
  ] as const;

  async function outcomes(client: pg.Client, seed: number, waits: boolean): Promise<unknown[]> {
    const random = dice(seed);
    await client.connect();
    await client.query("CREATE TEMP TABLE IF NOT EXISTS unused (id int)");
    const asked: Promise<unknown>[] = [];
    for (let number = 0; number < 120; number += 1) {
      const text = STATEMENTS[Math.floor(random() * STATEMENTS.length)]!;
      const answer = client.query(text, text.includes("$1") ? [number] : undefined).then(
        (result) => [result].flat().map(({ command, rowCount, rows }) => ({ text, command, rowCount, rows })),
        (error: unknown) => ({ text, code: (error as { code?: unknown }).code, message: (error as Error).message }),
      );
      asked.push(answer);
      if (waits && random() < 0.7) await answer;
    }
    const all = await Promise.all(asked);
    await client.query("ROLLBACK");
    await client.end();
    return all;
  }

  it.each([1, 2, 3, 4, 5, 6])("have the same outcomes (seed %i)", async (seed) => {
    const connectionString = server().directConnectionString;
    const again = "DROP TABLE IF EXISTS same; CREATE TABLE same (id int)";
    for (const waits of [true, false]) {
      await server().query(again);
      const theirs = await outcomes(new pg.Client({ connectionString }), seed, waits);
      for (const config of [observed().config, { connectionString }]) {
        await server().query(again);
        expect(await outcomes(new Client(config), seed, waits)).toEqual(theirs);
      }
      await server().query(again);
      expect(await outcomes(new module.Client({ connectionString }), seed, waits)).toEqual(theirs);
    }
  });
});

describe("a Client whose connection is lost", () => {
  it("gets another one, with its settings, when nothing else is lost", async () => {
    const client = await connected(observed().config);
    const heard: unknown[] = [];
    client.on("error", (error) => heard.push(error));
    client.on("end", () => heard.push("end"));
    await client.query("SET search_path = elsewhere; SET application_name TO 'first'");
    await client.query("SET application_name TO 'semi;colon'");
    const pid = await pidOf(client);
    await kill(client);
    const { rows } = await client.query(
      "SELECT current_setting('search_path') AS path, current_setting('application_name') AS name",
    );
    expect(rows).toEqual([{ path: "elsewhere", name: "semi;colon" }]);
    expect(await pidOf(client)).not.toBe(pid);
    expect(client).toHaveProperty("processID", await pidOf(client));
    expect(heard).toEqual([]);
    await client.end();
  });

  it("runs a read again that its connection died under, with its settings", async () => {
    const client = await connected(observed().config);
    await client.query("SET application_name = 'dying'; SET TIME ZONE 'Asia/Tokyo'");
    const slow = client.query("SELECT extract(timezone FROM now())::int AS east FROM pg_sleep(2)");
    const sleeping = "FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND application_name = 'dying'";
    await expect.poll(() => server().query(`SELECT 1 ${sleeping}`)).toHaveLength(1);
    await server().query(`SELECT pg_terminate_backend(pid) ${sleeping}`);
    expect((await slow).rows).toEqual([{ east: 9 * 3600 }]);
    expect((await client.query("SELECT extract(timezone FROM now())::int AS east")).rows).toEqual([{ east: 9 * 3600 }]);
    await client.end();
  });

  it("begins a transaction on another one", async () => {
    const client = await connected(observed().config);
    await kill(client);
    await client.query("BEGIN");
    expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await client.query("COMMIT");
    await client.end();
  });

  it.each([
    ["a transaction", "BEGIN"],
    ["a subscription", "LISTEN something"],
    ["a temporary table", "CREATE TEMP TABLE lost (id int)"],
    ["an advisory lock", "SELECT pg_advisory_lock(4711)"],
    ["a setting that a rollback could have undone", "BEGIN; SET application_name = 'maybe'; COMMIT"],
  ])("tells of it, and ends, when %s is lost with it", async (_, text) => {
    const client = await connected(observed().config);
    await client.query(text);
    const errors: unknown[] = [];
    client.on("error", (error) => errors.push(error));
    const ended = endOf(client);
    await kill(client);
    await ended;
    expect(errors).toEqual([expect.objectContaining({ code: "57P01" })]);
    await expect(client.query("SELECT 1")).rejects.toThrow("not queryable");
    await client.end();
  });

  it("ends no process when nobody hears of it", async () => {
    const client = await connected(observed().config);
    await client.query("LISTEN something");
    const ended = endOf(client);
    await kill(client);
    await ended;
    expect(client.listenerCount("error")).toBe(0);
    await client.end();
  });

  it("rejects what runs in a transaction, and repeats nothing of it", async () => {
    const client = await connected(observed().config);
    await client.query("CREATE TABLE never_twice (id int)");
    await client.query("BEGIN");
    await client.query("INSERT INTO never_twice VALUES (1)");
    const dying = client.query("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(1)");
    await expect(dying).rejects.toMatchObject({ code: "57P01" });
    await expect(client.query("INSERT INTO never_twice VALUES (2)")).rejects.toThrow("not queryable");
    await expect(client.query("COMMIT")).rejects.toThrow("not queryable");
    await client.end();
    expect(await server().query("SELECT * FROM never_twice")).toEqual([]);
  });
});

describe("the stack of clients", () => {
  it("is one for equal configurations, however they were made, and ends after the last client", async () => {
    const { config, stacks } = observed();
    const [first, second] = [
      await connected({ ...config }),
      await connected({ ...config, types: { getTypeParser: pg.types.getTypeParser } }),
    ];
    expect(stacks).toHaveLength(1);
    const other = await connected({ ...config, application_name: "another" });
    expect(stacks).toHaveLength(2);
    expect(stacks[0]!.stats()).toMatchObject({ total: 2, active: 2 });
    await first.end();
    await expect.poll(() => stacks[0]!.stats().total).toBe(1);
    await second.end();
    await expect.poll(() => stacks[0]!.stats().total).toBe(0);
    const late = await connected({ ...config });
    expect(stacks).toHaveLength(2);
    await late.end();
    await expect.poll(() => stacks[0]!.query("SELECT 1").then(String, String)).toContain("closed");
    await other.end();
  });

  it("leaves no connection when a client has ended, and keeps no process alive", async () => {
    const url = new URL(server().directConnectionString);
    url.searchParams.set("application_name", "short-lived");
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const script = `
      import pg from "./packages/breakwater/src/pg.ts";
      const client = new pg.Client(${JSON.stringify(url.href)});
      await client.connect();
      await client.query("SELECT 1");
      await client.end();
      console.log("done");
      process.on("exit", () => console.log("exit"));
      setTimeout(() => console.log("late"), 900).unref();`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd: root,
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    expect(stdout).toBe("done\nexit\n");
    const left = "SELECT count(*)::int AS left FROM pg_stat_activity WHERE application_name = 'short-lived'";
    await expect.poll(() => server().query(left)).toEqual([{ left: 0 }]);
  });
});
