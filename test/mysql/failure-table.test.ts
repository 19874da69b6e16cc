/**
 * The rows of the failure table that say they were measured, each provoked on a real server.
 */
import { database, type Database, type Failure, failureOf, type Pool } from "@breakwater/core";
import { SOCKET_ROWS } from "@breakwater/core/failures";
import { FAILURE_TABLE } from "@breakwater/mysql";
import { fromMysql2, type FromMysql2Options, type Mysql2Config } from "@breakwater/mysql2";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { createConnection } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorOf, until } from "../support/wait.ts";
import { type MariaCluster, startMariaCluster } from "./support/cluster.ts";
import { SKIPPED, WHY_NOT } from "./support/server.ts";

const provoked = new Set<string>();
const pools: Pool[] = [];

/** What an error was understood as, after a look that it was the row's. */
function failureBy(row: string, error: unknown): Failure {
  const found = FAILURE_TABLE.find(({ name }) => name === row);
  const failure = failureOf(error);
  expect(failure.reason).toContain(found?.meaning ?? `no row ${row}`);
  provoked.add(row);
  return failure;
}

describe.skipIf(WHY_NOT)(`the failure table of MySQL, on MariaDB,${SKIPPED}`, () => {
  let cluster: MariaCluster;
  let db: Database;
  const open = (config: Mysql2Config = {}, options: FromMysql2Options = {}): Database => {
    const pool = fromMysql2({ ...cluster.primary.config, ...config }, { max: 4, ...options });
    pools.push(pool);
    return database(pool);
  };
  const admin = (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
    cluster.primary.server.query(`USE app; ${text}`, values).then((all) => (all.at(-1) ?? []) as never);
  /** The number of the connection that runs a text with this mark. */
  const running = async (mark: string): Promise<number> => {
    let id: unknown;
    await until(`${mark} to run`, async () => {
      const text = "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE ? AND USER <> 'root'";
      id = (await cluster.primary.server.query<{ ID: number }>(text, [`%/* ${mark} */%`]))[0]?.ID;
      return id !== undefined;
    });
    return Number(id);
  };
  const sleeping = (mark: string): string => `INSERT INTO t (id) SELECT 900 FROM (SELECT SLEEP(60)) AS s /* ${mark} */`;
  /** A read, a write, a transaction and a COMMIT's worth of effects of ending their connections. */
  const three = (what: string): Promise<Error[]> =>
    Promise.all([
      errorOf(db.query(`SELECT SLEEP(60) /* ${what} 1 */`, { access: "read" })),
      errorOf(db.query(sleeping(`${what} 2`))),
      errorOf(db.transaction((tx) => tx.query(sleeping(`${what} 3`)))),
    ]);
  const marks = (what: string): string[] => [1, 2, 3].map((number) => `${what} ${number}`);
  const expectLost = (row: string, errors: readonly unknown[]): void => {
    const failures = errors.map((error) => failureBy(row, error));
    expect(failures.map(({ effect }) => effect)).toEqual(["none", "unknown", "none"]);
    expect(failures.map(({ retry }) => retry)).toEqual(["other-node", "other-node", "transaction"]);
    expect(failures.map(({ connection }) => connection)).toEqual(["destroy", "destroy", "destroy"]);
  };

  beforeAll(async () => {
    cluster = await startMariaCluster();
    await admin("CREATE TABLE t (id int PRIMARY KEY, note varchar(10)); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    db = open();
  });
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.close({ drainMs: 0 })));
    await cluster.close();
    // What the link itself says is the same for every database, and provoked with PostgreSQL.
    const own = FAILURE_TABLE.filter((row) => !SOCKET_ROWS.includes(row));
    const measured = own.filter(({ evidence }) => evidence === "measured").map(({ name }) => name);
    expect(measured.filter((name) => !provoked.has(name))).toEqual([]);
  });

  it.each([
    ["INSERT INTO t VALUES (1, 'x')", 1062],
    ["SELEC 1", 1064],
    ["SELECT * FROM nowhere", 1146],
    ["INSERT INTO t VALUES (9, 'much too long')", 1406],
    ["SIGNAL SQLSTATE '45000'", 1644],
  ])("takes an answer to %s for an answer", async (text, errno) => {
    const error = await errorOf(db.query(text));
    expect(error).toMatchObject({ errno });
    expect(failureBy("server", error)).toMatchObject({ effect: "none", retry: "never", connection: "keep" });
  });

  it("runs a transaction again that was chosen to end a deadlock", async () => {
    let [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const side = (mine: number, other: number, done: () => void, wait: () => Promise<void>): Promise<unknown> =>
      db.transaction(async (tx) => {
        await tx.query("UPDATE t SET note = 'x' WHERE id = ?", [mine]);
        done();
        await wait();
        await tx.query("UPDATE t SET note = 'y' WHERE id = ?", [other]);
      });
    const sides = await Promise.allSettled([
      side(
        1,
        2,
        () => first.resolve(),
        () => second.promise,
      ),
      side(
        2,
        1,
        () => second.resolve(),
        () => first.promise,
      ),
    ]);
    const victims = sides.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
    expect(victims).toHaveLength(1);
    expect(failureBy("1213", victims[0])).toMatchObject({ retry: "transaction", effect: "none", blames: "contention" });
  });

  it("runs again what waited too long for a lock, as a whole", async () => {
    const impatient = open({}, { max: 1, onConnect: (one) => one.query("SET innodb_lock_wait_timeout = 1") });
    const holder = await db.connect();
    await holder.query("START TRANSACTION");
    await holder.query("UPDATE t SET note = 'held' WHERE id = 1");
    const text = "UPDATE t SET note = 'z' WHERE id = 1";
    expect(failureBy("1205", await errorOf(impatient.query(text)))).toMatchObject({
      retry: "same-node",
      effect: "none",
    });
    const inside = errorOf(impatient.transaction((tx) => tx.query(text)));
    expect(failureBy("1205", await inside)).toMatchObject({ retry: "transaction", effect: "none" });
    await holder.query("ROLLBACK");
    holder.release();
  });

  it("begins anew where a table has changed since the snapshot", async () => {
    await admin("CREATE TABLE altered (id int)");
    const failed = db.transaction(
      async (tx) => {
        await tx.query("SELECT * FROM t");
        await admin("ALTER TABLE altered ADD b int, ALGORITHM = COPY");
        await tx.query("SELECT * FROM altered");
      },
      { isolation: "repeatable read" },
    );
    expect(failureBy("1020", await errorOf(failed))).toMatchObject({ retry: "transaction", effect: "none" });
  });

  it("sends to the primary what a replica refuses", async () => {
    const replica = open({ port: cluster.replicas[0]?.config.port ?? 0 });
    const texts = [
      "INSERT INTO t VALUES (9, 'x')",
      "CREATE TABLE never (id int)",
      "SELECT * FROM t WHERE id = 1 FOR UPDATE",
    ];
    for (const text of texts.slice(0, 2)) {
      const failure = failureBy("1290 read only", await errorOf(replica.query(text)));
      expect(failure).toMatchObject({ retry: "primary", effect: "none", connection: "keep", blames: "statement" });
    }
    const failed = replica.transaction((tx) => tx.query(texts[0] ?? ""), { readOnly: false });
    expect(failureBy("1290 read only", await errorOf(failed))).toMatchObject({ retry: "primary", effect: "none" });
    const reading = db.transaction((tx) => tx.query(texts[0] ?? ""), { readOnly: true });
    expect(failureBy("1792", await errorOf(reading))).toMatchObject({ retry: "primary", effect: "none" });
  });

  it("knows that COMMIT has failed at a server that has become read only", async () => {
    const failed = db.transaction(async (tx) => {
      await tx.query("INSERT INTO t VALUES (77, 'x')");
      // It waits for whoever writes, but not for whoever is about to commit.
      await admin("SET GLOBAL read_only = 1");
    });
    const error = await errorOf(failed);
    await admin("SET GLOBAL read_only = 0");
    expect(failureBy("1290 read only", error)).toMatchObject({ retry: "primary", effect: "none", phase: "committing" });
    expect(await admin("SELECT 1 FROM t WHERE id = 77")).toEqual([]);
  });

  it("runs once more what was interrupted", async () => {
    const calls = three("interrupted");
    for (const mark of marks("interrupted")) await admin(`KILL QUERY ${await running(mark)}`);
    const [read, write, transaction] = await calls;
    // SLEEP is not interrupted but ends early; only a statement that must store something says so.
    const failures = [write, transaction].map((error) => failureBy("1317", error));
    expect(failures.map(({ retry }) => retry)).toEqual(["same-node", "transaction"]);
    expect(failures.every(({ effect, maxRetries }) => effect === "none" && maxRetries === 1)).toBe(true);
    expect(read).toBeDefined();
  });

  it("leaves alone what ran longer than the server allows, unless asked", async () => {
    const limited = open({}, { max: 1, onConnect: (one) => one.query("SET max_statement_time = 0.2") });
    const heavy = "SELECT SUM(SIN(seq)) FROM seq_1_to_1000000000";
    expect(failureBy("1969", await errorOf(limited.query(heavy)))).toMatchObject({ effect: "none", optIn: "timeout" });
    const write = await errorOf(
      limited.query("INSERT INTO t (id) SELECT 800 + SUM(SIN(seq)) FROM seq_1_to_1000000000"),
    );
    expect(failureBy("1969", write)).toMatchObject({ effect: "none", retry: "never", connection: "keep" });
  });

  it("waits where there are too many connections", async () => {
    // Opened while there is room: the one that the server keeps for administrators is taken by whom it is about to refuse.
    const root = await createConnection({ socketPath: cluster.primary.server.socket, user: "root" });
    await root.query("SET GLOBAL max_connections = 10");
    const many = open({}, { max: 20 });
    const refused = Promise.withResolvers<void>();
    many.on("connection:failed", () => refused.resolve());
    const held = Array.from({ length: 15 }, () => many.connect().catch(() => undefined));
    await refused.promise;
    let error: unknown;
    // A place may become free for a moment.
    await until("one to be refused", async () => {
      error = await open({}, { max: 1 })
        .query("SELECT 1")
        .then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
      return error !== undefined;
    });
    await root.query("SET GLOBAL max_connections = 151");
    await root.end();
    const failure = failureBy("1040", error);
    expect(failure).toMatchObject({ phase: "connect", retry: "same-node", effect: "none", blames: "load" });
    await many.close({ drainMs: 0 });
    await Promise.all(held);
  });

  it("waits where an account has used up its share", async () => {
    await admin("CREATE USER frugal@'%'; GRANT ALL ON app.* TO frugal@'%' WITH MAX_QUERIES_PER_HOUR 4");
    const frugal = open({ user: "frugal" }, { max: 1 });
    let error: unknown;
    for (let at = 0; at < 5; at += 1)
      error ??= await frugal.query("SELECT 1").then(
        () => undefined,
        (e: unknown) => e,
      );
    expect(failureBy("1226", error)).toMatchObject({ retry: "same-node", effect: "none", blames: "load" });
  });

  it("gives up at once where the password is wrong, or there is no TLS", async () => {
    const wrong = open({ user: "other", password: "guessed" });
    expect(failureBy("login", await errorOf(wrong.query("SELECT 1")))).toMatchObject({
      retry: "never",
      blames: "caller",
    });
    const secure = open({ ssl: {} });
    expect(failureBy("mysql2 TLS", await errorOf(secure.query("SELECT 1")))).toMatchObject({ retry: "never" });
  });

  it("says that a statement is too long, and that nothing was kept", async () => {
    const text = `INSERT INTO t VALUES (78, '${"x".repeat(17_000_000)}')`;
    const error = await errorOf(open().query(text));
    const failure = failureOf(error);
    // Whether the server's word arrives before the reset of its link is a matter of luck.
    if ((error as { errno?: number }).errno === 1153) expect(failure).toMatchObject({ effect: "none", retry: "never" });
    else expect(failure.effect).toBe("unknown");
    expect(await admin("SELECT 1 FROM t WHERE id = 78")).toEqual([]);
    provoked.add("1153");
  });

  it("waits where the server holds too many prepared statements", async () => {
    await admin("SET GLOBAL max_prepared_stmt_count = 0");
    const error = await errorOf(open().query("SELECT ? AS a", [1]));
    await admin("SET GLOBAL max_prepared_stmt_count = 16382");
    expect(failureBy("1461", error)).toMatchObject({ retry: "same-node", effect: "none", connection: "destroy" });
  });

  it("knows what was not sent", async () => {
    const one = open({}, { max: 1, validateAfterIdleMs: 0 });
    const held = await one.connect();
    await held.query("SELECT 1");
    const { stream } = held.driver as { stream: { destroy(): void } };
    const closed = once(stream as never, "close");
    stream.destroy();
    await closed;
    const error = await errorOf(held.query("INSERT INTO t VALUES (79, 'x')"));
    expect(failureBy("mysql2 closed", error)).toMatchObject({ effect: "none", phase: "unsent", connection: "destroy" });
    held.release();
    const session = await one.connect();
    const bad = await new Promise<unknown>((resolve) => {
      try {
        (session.driver as { execute(sql: string, values: unknown[]): void }).execute("SELECT ?", [undefined]);
      } catch (thrown) {
        resolve(thrown);
      }
    });
    const judged = one.pool.dialect.judge(bad, { phase: "running", access: "write", inTransaction: false });
    expect(judged).toMatchObject({ effect: "none", retry: "never", phase: "unsent" });
    provoked.add("mysql2 wrong use");
    session.release();
  });

  it("goes elsewhere where nobody listens, or nobody speaks", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const mute = errorOf(open({ port }, { connectTimeoutMs: 100 }).query("SELECT 1"));
    expect(failureBy("failed connect", await mute)).toMatchObject({
      retry: "other-node",
      phase: "connect",
      effect: "none",
    });
    silent.close();
    await once(silent, "close");
    const absent = errorOf(open({ port }).query("SELECT 1"));
    expect(failureBy("ECONNREFUSED", await absent)).toMatchObject({ retry: "other-node", phase: "connect" });
  });

  it("says what may have been kept when the link is reset", async () => {
    const calls = three("reset");
    for (const mark of marks("reset")) await running(mark);
    cluster.primary.proxy.cutAll("reset");
    expectLost("socket lost", await calls);
  });

  it("says what may have been kept when the connections are killed", async () => {
    const calls = three("killed");
    for (const mark of marks("killed")) await admin(`KILL ${await running(mark)}`);
    // MariaDB 10.11 ends the link without a word.
    expectLost("mysql2 lost", await calls);
  });

  it("says what may have been kept when the server is shut down, and when it is killed", async () => {
    const { server } = cluster.primary;
    for (const end of ["stop", "kill"] as const) {
      const calls = three(end);
      for (const mark of marks(end)) await running(mark);
      await server[end]();
      expectLost("mysql2 lost", await calls);
      await server.start();
    }
  });
});
