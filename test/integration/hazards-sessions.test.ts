/**
 * M1–M6 and M17–M20 of the measured hazards: what happens to sessions and their statements. Each shows the hazard on bare
 * `pg` first, then what the layer makes of it.
 */
import { type Cluster, startCluster } from "@breakwater/chaos";
import { type Database, OutcomeUnknownError, RolledBackError } from "@breakwater/core";
import { breakwater } from "breakwater";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { noConnectionLeft, stackOn, through } from "../support/database.ts";
import { dyingServer } from "../support/dying.ts";
import { errorOf, until } from "../support/wait.ts";

describe("hazards of sessions", () => {
  let cluster: Cluster;
  let bare: pg.Pool;
  let db: Database;

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
    await cluster.primary.query("CREATE TABLE hazard (id text PRIMARY KEY, pause int)");
  });
  beforeEach(() => {
    bare = new pg.Pool({ ...through(cluster.primary), max: 1 });
    bare.on("error", () => undefined);
    db = stackOn(cluster, { pool: { max: 1 } });
  });
  afterEach(async () => {
    await bare.end();
    await db.close();
    await noConnectionLeft(cluster);
    await cluster.primary.query("TRUNCATE hazard");
  });
  afterAll(() => cluster.close());

  const PID = "SELECT pg_backend_pid() AS pid";
  const barePid = async (): Promise<number> => (await bare.query<{ pid: number }>(PID)).rows[0]?.pid ?? 0;
  const ownPid = async (): Promise<number> => (await db.query<{ pid: number }>(PID)).rows[0]?.pid ?? 0;
  const terminate = (pid: number): Promise<unknown> => cluster.primary.query("SELECT pg_terminate_backend($1)", [pid]);
  const there = async (id: string): Promise<boolean> =>
    (await cluster.primary.query("SELECT FROM hazard WHERE id = $1", [id])).length > 0;
  /** Resolves when no statement of the table runs any more. */
  const quiet = (): Promise<void> =>
    until("the statements to end", async () => {
      const text =
        "SELECT FROM pg_stat_activity WHERE state = 'active' AND query ~ 'INTO hazard' AND pid <> pg_backend_pid()";
      return (await cluster.primary.query(text)).length === 0;
    });
  const SLOW_INSERT = "INSERT INTO hazard SELECT $1 FROM pg_sleep(2)";
  /** Is seen to run before it lands, and never lands before it is cancelled, however slow the machine is. */
  const SLOWER_INSERT = "INSERT INTO hazard SELECT $1 FROM pg_sleep(60)";

  it("M1: an error of a statement costs no connection", async () => {
    await cluster.primary.query("INSERT INTO hazard VALUES ('taken')");
    const before = await barePid();
    expect((await errorOf(bare.query("INSERT INTO hazard VALUES ('taken')"))).code).toBe("23505");
    expect(await barePid()).not.toBe(before);

    const own = await ownPid();
    expect((await errorOf(db.query("INSERT INTO hazard VALUES ('taken')"))).code).toBe("23505");
    expect(await ownPid()).toBe(own);
  });

  it("M2: a connection that dies while idle is an event, and the process goes on", async () => {
    const client = new pg.Client(through(cluster.primary));
    await client.connect();
    // Whoever has no listener loses the process: an `error` event that nobody hears is thrown.
    expect(client.listenerCount("error")).toBe(0);
    await client.end();

    const lost = new Promise((resolve) => db.on("connection:lost", resolve));
    await terminate(await ownPid());
    await lost;
    expect((await db.query("SELECT 1")).rowCount).toBe(1);
  });

  it("M2: a session that is ended in the moment it is ready does not end the process", async () => {
    const server = await dyingServer();
    const target = { host: "127.0.0.1", port: server.port, user: "postgres" };
    // On bare pg this is an error that nobody can catch: between the pool and its borrower no one listens.
    const own = breakwater({ primary: target, timeoutMs: 500 });
    expect((await errorOf(own.query("SELECT 1"))).code).toMatch(/57P01|ERR_BREAKWATER/);
    // Each costs the server a process: it is not met by as many as a loop can open.
    expect(server.sessions).toBeGreaterThan(0);
    expect(server.sessions).toBeLessThan(50);
    await own.close();
    await server.close();
  });

  it("M2: a stack that is closed while it connects leaves no connection behind", async () => {
    const { proxy } = cluster.primary;
    const early = stackOn(cluster);
    proxy.setLatency(20);
    const calls = Array.from({ length: 5 }, () => errorOf(early.query("SELECT pg_sleep(60)")));
    // The router has one of its own, for probes.
    await until("connections to be under way", () => proxy.connections === 6);
    await early.close({ drainMs: 0 });
    proxy.setLatency(0);
    for (const error of await Promise.all(calls)) expect(error.code).toMatch(/^ERR_BREAKWATER/);
  });

  it("M3: a write on a connection that is being ended is done once", async () => {
    const { proxy } = cluster.primary;
    /** Ends a session and sends a write over it before the client can have heard of that. */
    const meanwhile = async (pid: number, write: () => Promise<unknown>): Promise<unknown> => {
      proxy.freeze("toClient");
      await terminate(pid);
      const outcome = write();
      outcome.catch(() => undefined);
      proxy.thaw("toClient");
      return outcome;
    };
    const insert = "INSERT INTO hazard VALUES ($1)";
    const error = await errorOf(meanwhile(await barePid(), () => bare.query(insert, ["bare"])));
    expect([error.code, await there("bare")]).toStrictEqual(["57P01", false]);

    await meanwhile(await ownPid(), () => db.query(insert, ["own"], { exactlyOnce: true }));
    expect(await there("own")).toBe(true);
  });

  it("M4: a transaction whose session was ended while it was idle is run again as a whole", async () => {
    const idle = "SET LOCAL idle_in_transaction_session_timeout = 30";
    const client = await bare.connect();
    const ended = new Promise((resolve) => client.once("error", resolve));
    await client.query(`BEGIN; ${idle}; INSERT INTO hazard VALUES ('bare')`);
    await ended;
    expect((await errorOf(client.query("COMMIT"))).message).toMatch(/not queryable|terminated/);
    client.release(true);
    expect(await there("bare")).toBe(false);

    const attempts: number[] = [];
    await db.transaction(async (tx) => {
      attempts.push(tx.attempt);
      await tx.query("INSERT INTO hazard VALUES ('own')");
      if (tx.attempt > 1) return;
      const gone = new Promise((resolve) => (tx.driver as pg.Client).once("end", () => resolve(undefined)));
      await tx.query(idle);
      await gone;
    });
    expect(attempts).toStrictEqual([1, 2]);
    expect(await there("own")).toBe(true);
  });

  it("M5: a write that ran out of time does not land behind the caller's back", async () => {
    const impatient = new pg.Client({ ...through(cluster.primary), query_timeout: 50 });
    await impatient.connect();
    expect((await errorOf(impatient.query(SLOW_INSERT, ["bare"]))).message).toBe("Query read timeout");
    await until("the write to land after all", () => there("bare"));
    await impatient.end();

    // With a connection there, the time runs out while the statement runs.
    await ownPid();
    const error = await errorOf(db.query(SLOWER_INSERT, ["own"], { timeoutMs: 300 }));
    expect(error).toBeInstanceOf(OutcomeUnknownError);
    await quiet();
    expect(await there("own")).toBe(false);
  });

  it("M17: a write that was aborted does not land either", async () => {
    const client = await bare.connect();
    client.on("error", () => undefined);
    const write = errorOf(client.query(SLOW_INSERT, ["bare"]));
    await until("the write to run", async () => {
      return (await cluster.primary.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'")).length === 1;
    });
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    await write;
    client.release(true);
    await until("the write to land after all", () => there("bare"));

    const controller = new AbortController();
    const aborted = errorOf(db.query(SLOWER_INSERT, ["own"], { signal: controller.signal }));
    await until("the write to run", async () => {
      return (await cluster.primary.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'")).length === 1;
    });
    controller.abort();
    expect(await aborted).toBeInstanceOf(OutcomeUnknownError);
    await quiet();
    expect(await there("own")).toBe(false);
  });

  it("M6: COMMIT of a failed transaction is an error", async () => {
    const client = await bare.connect();
    await client.query("BEGIN");
    await errorOf(client.query("SELECT 1 / 0"));
    expect((await client.query("COMMIT")).command).toBe("ROLLBACK");
    client.release();

    const swallowed = db.transaction(async (tx) => {
      await tx.query("INSERT INTO hazard VALUES ('own')");
      await tx.query("SELECT 1 / 0").catch(() => undefined);
    });
    expect(await errorOf(swallowed)).toBeInstanceOf(RolledBackError);
    expect(await there("own")).toBe(false);
  });

  it("M15: a cancel never hits the next statement, in 200 rounds of cancelling while finishing", async () => {
    const sleeping = async (pid: number): Promise<boolean> => {
      const text = "SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'";
      return (await cluster.primary.query(text, [pid])).length === 1;
    };
    // As whoever cancels does: it looks, finds the statement running, and asks; by then the next one may run.
    const client = await bare.connect();
    const pid = (client as unknown as { processID: number }).processID;
    const meant = client.query("SELECT pg_sleep(0.1)");
    await meant;
    const next = errorOf(client.query("SELECT pg_sleep(60)"));
    await until("the next one to run", () => sleeping(pid));
    await cluster.primary.query("SELECT pg_cancel_backend($1)", [pid]);
    expect((await next).code).toBe("57014");
    client.release();

    let hits = 0;
    for (let round = 0; round < 200; round++) {
      const how = round % 2 === 0 ? { timeoutMs: 1 + (round % 5) } : { signal: AbortSignal.timeout(1 + (round % 5)) };
      await db.query("SELECT pg_sleep(0.003)", [], how).catch(() => undefined);
      await db.query("SELECT pg_sleep(0.003)").catch(() => hits++);
    }
    expect(hits).toBe(0);
  });

  it("M18: after a session was ended the next call gets a living one, 50 of 50 times", async () => {
    const { proxy } = cluster.primary;
    let failed = 0;
    for (let round = 0; round < 50; round++) {
      const client = await bare.connect();
      client.on("error", () => undefined);
      // It hears of its end by the answer to its statement, and not before.
      proxy.freeze("toClient");
      await terminate((client as unknown as { processID: number }).processID);
      const answer = client.query("SELECT 1").catch(() => undefined);
      proxy.thaw("toClient");
      await answer;
      client.release();
      await bare.query("SELECT 1").catch(() => failed++);
    }
    expect(failed).toBeGreaterThan(0);

    for (let round = 0; round < 50; round++) {
      const held = await db.connect();
      const { rows } = await held.query<{ pid: number }>(PID);
      await terminate(rows[0]?.pid ?? 0);
      await held.query("SELECT 1").catch(() => undefined);
      held.release();
      expect((await db.query("SELECT 1")).rowCount).toBe(1);
    }
  });

  it("M19: an open transaction is not handed to the next borrower", async () => {
    const client = await bare.connect();
    await client.query("BEGIN; INSERT INTO hazard VALUES ('bare')");
    client.release();
    expect((await bare.query("SELECT FROM hazard WHERE id = 'bare'")).rowCount).toBe(1);
    await bare.query("ROLLBACK");

    const told = new Promise((resolve) => db.on("connection:open-transaction", resolve));
    const held = await db.connect();
    await held.query("BEGIN");
    await held.query("INSERT INTO hazard VALUES ('own')");
    held.release();
    expect((await db.query("SELECT FROM hazard WHERE id = 'own'")).rowCount).toBe(0);
    await told;
  });

  it("M20: one call's time-out touches no other call, and an abort ends the wait at once", async () => {
    const wide = stackOn(cluster, { pool: { max: 2 } });
    const innocent = wide.query("SELECT pg_sleep(0.2)");
    expect((await errorOf(wide.query("SELECT pg_sleep(60)", [], { timeoutMs: 50 }))).code).toBe(
      "ERR_BREAKWATER_TIMEOUT",
    );
    const controller = new AbortController();
    const started = performance.now();
    setTimeout(() => controller.abort(new Error("enough")), 50);
    expect((await errorOf(wide.query("SELECT pg_sleep(60)", [], { signal: controller.signal }))).message).toBe(
      "enough",
    );
    expect(performance.now() - started).toBeLessThan(10_000);
    expect((await innocent).rowCount).toBe(1);
    expect((await wide.query("SELECT 1")).rowCount).toBe(1);
    await wide.close();
  });
});
