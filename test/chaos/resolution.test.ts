import { type Cluster, startCluster } from "@breakwater/chaos";
import { OutcomeUnknownError } from "@breakwater/core";
import { ledgerTableSql } from "@breakwater/policies";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { closeStacks, noConnectionLeft, resolutions, stackOn } from "../support/database.ts";
import { errorOf, until } from "../support/wait.ts";

const COMMIT = /^commit/i;
const QUESTION = /pg_xact_status/;

/** From the struck COMMIT on nobody gets through, until `heal` is called. */
function lostFor(cluster: Cluster, how: "dropReply" | "cutBefore"): { readonly struck: Promise<void>; heal(): void } {
  const { proxy } = cluster.primary;
  const fault = proxy[how]({ to: COMMIT, times: 1 });
  const stop = proxy.onStatement((text) => {
    if (COMMIT.test(text)) proxy.refuse("reset");
  });
  return {
    struck: fault.reached(1),
    heal: () => {
      stop();
      proxy.accept();
    },
  };
}

describe("commit resolution", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    // The log is written when a commit asks for it and not by the way, so that a crash forgets what was not committed.
    cluster = await startCluster({ replicas: 0, settings: { wal_writer_delay: "10s", max_connections: "30" } });
    await cluster.primary.query(`CREATE TABLE work (id text); CREATE TABLE other (n int); ${ledgerTableSql()}`);
  });
  afterEach(closeStacks);
  afterAll(() => cluster.close());
  beforeEach(() => cluster.primary.query("TRUNCATE work"));

  const rows = async (): Promise<number> => (await cluster.primary.query("SELECT FROM work")).length;

  it("does not take another transaction's commit for the lost one's: a number is given out again after a crash", async () => {
    const node = cluster.primary;
    const db = stackOn(cluster, { pool: { max: 1 } });
    const told = resolutions(db);
    await db.query("SELECT 1");
    await node.query("CHECKPOINT");
    const lost = lostFor(cluster, "cutBefore");
    // The server stops in the moment of COMMIT: neither the commit nor the row comes to the log.
    const stop = node.proxy.onStatement((text) => COMMIT.test(text) && node.hang());
    let number = 0n;
    const write = errorOf(
      db.transaction(async (tx) => {
        await tx.query("INSERT INTO work VALUES ('lost')");
        const {
          rows: [row],
        } = await tx.query<{ id: string }>("SELECT pg_current_xact_id()::text AS id");
        number = BigInt(row?.id ?? 0);
      }),
    );
    await lost.struck;
    stop();
    await node.kill();
    await node.start();
    const reused: bigint[] = [];
    while ((reused.at(-1) ?? 0n) <= number) {
      const [row] = await node.query<{ id: string }>(
        "WITH done AS (INSERT INTO other VALUES (1)) SELECT pg_current_xact_id()::text AS id",
      );
      reused.push(BigInt(row?.id ?? 0));
    }
    expect(reused).toContain(number);
    lost.heal();
    expect(await write).toBeInstanceOf(OutcomeUnknownError);
    expect(told.map(({ outcome }) => outcome)).toStrictEqual(["unprovable"]);
    expect(await rows()).toBe(0);
    await db.close();
  });

  it.each(["a crash", "a crash of one process", "a clean restart"])(
    "says that it cannot tell what was committed before %s, and can by the ledger",
    async (what) => {
      const node = cluster.primary;
      for (const ledger of [false, true]) {
        const db = stackOn(cluster, { commitResolution: { ledger }, pool: { max: 1 } });
        const told = resolutions(db);
        const lost = lostFor(cluster, "dropReply");
        const write = db.query("INSERT INTO work VALUES ($1) RETURNING id", [String(ledger)], { exactlyOnce: true });
        const outcome = ledger ? write : errorOf(write);
        await lost.struck;
        await until("the commit to land", async () => (await rows()) === (ledger ? 2 : 1));
        if (what === "a clean restart") await node.restart();
        else if (what === "a crash") await node.kill().then(() => node.start());
        else {
          const [victim] = await node.query<{ pid: number }>(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'breakwater-test' AND backend_type = 'client backend'",
          );
          await node.killBackend(victim?.pid ?? 0);
          await node.waitUntilReady();
        }
        lost.heal();
        if (ledger) expect(await outcome).toMatchObject({ rows: [{ id: "true" }] });
        else expect(await outcome).toBeInstanceOf(OutcomeUnknownError);
        expect(told).toMatchObject([ledger ? { outcome: "committed", by: "ledger" } : { outcome: "unprovable" }]);
        await db.close();
      }
      expect(await rows()).toBe(2);
    },
  );

  it("runs again what a crash has undone, as a whole, with the next attempt's number", async () => {
    const node = cluster.primary;
    const db = stackOn(cluster);
    const attempts: number[] = [];
    const hooks: number[] = [];
    const lost = lostFor(cluster, "cutBefore");
    const write = db.transaction(async (tx) => {
      attempts.push(tx.attempt);
      tx.afterCommit(() => hooks.push(tx.attempt));
      await tx.query("INSERT INTO work VALUES ('again')");
      return tx.attempt;
    });
    await lost.struck;
    await node.kill();
    await node.start();
    lost.heal();
    expect(await write).toBe(2);
    expect({ attempts, hooks, rows: await rows() }).toStrictEqual({ attempts: [1, 2], hooks: [2], rows: 1 });
    await db.close();
  });

  it("runs the hooks once the commit is proved, and not when it cannot be", async () => {
    const db = stackOn(cluster, { commitResolution: { limitMs: 2_000 } });
    const hooks: string[] = [];
    const write = (name: string): Promise<void> =>
      db.transaction(async (tx) => {
        await tx.query("INSERT INTO work VALUES ($1)", [name]);
        tx.afterCommit(() => hooks.push(name));
      });
    using fault = cluster.primary.proxy.dropReply({ to: COMMIT });
    await write("proved");
    using deaf = cluster.primary.proxy.cutBefore({ to: QUESTION });
    expect(await errorOf(write("unknown"))).toBeInstanceOf(OutcomeUnknownError);
    expect(hooks).toStrictEqual(["proved"]);
    expect(fault.hits + Math.min(deaf.hits, 1)).toBe(3);
    await db.close();
  });

  it("asks again when the question itself is lost or refused, and resolves several at once", async () => {
    const db = stackOn(cluster, { retry: { maxRetries: 0 } });
    const told = resolutions(db);
    const { proxy } = cluster.primary;
    using commits = proxy.dropReply({ to: COMMIT });
    using cut = proxy.cutBefore({ to: QUESTION, times: 5 });
    using dropped = proxy.dropReply({ to: QUESTION, times: 5 });
    using refused = proxy.inject({
      to: QUESTION,
      times: 5,
      sqlstate: "57P03",
      message: "starting up",
      severity: "FATAL",
    });
    await Promise.all(
      Array.from({ length: 20 }, (_, id) => db.query("INSERT INTO work VALUES ($1)", [id], { exactlyOnce: true })),
    );
    expect([cut.hits, dropped.hits, refused.hits, commits.hits]).toStrictEqual([5, 5, 5, 20]);
    expect(told.map(({ outcome }) => outcome)).toStrictEqual(Array.from({ length: 20 }, () => "committed"));
    expect(await rows()).toBe(20);
    await db.close();
    await noConnectionLeft(cluster);
  });

  it.each(["abort", "deadline", "close"])(
    "ends at once at %s while it asks, and tells that it does not know",
    async (how) => {
      const db = stackOn(cluster, how === "deadline" ? { timeoutMs: 2_000 } : {});
      await db.query("SELECT 1");
      const { proxy } = cluster.primary;
      const controller = new AbortController();
      using fault = proxy.dropReply({ to: COMMIT });
      using deaf = proxy.cutBefore({ to: QUESTION });
      const started = performance.now();
      const write = errorOf(
        db.query("INSERT INTO work VALUES ('x')", [], { exactlyOnce: true, signal: controller.signal }),
      );
      await deaf.reached(2);
      if (how === "abort") controller.abort(new Error("enough"));
      if (how === "close") await db.close();
      const error = await write;
      expect(error).toBeInstanceOf(OutcomeUnknownError);
      expect((error as OutcomeUnknownError).transaction?.id).toMatch(/^\d+$/);
      expect(performance.now() - started).toBeLessThan(10_000);
      expect(fault.hits).toBe(1);
      fault.off();
      deaf.off();
      await db.close();
      await noConnectionLeft(cluster);
    },
  );

  it.each(["abort", "deadline"])("tells at %s during the COMMIT that it does not know", async (how) => {
    const db = stackOn(cluster, how === "deadline" ? { timeoutMs: 1_500 } : {});
    await db.query("SELECT 1");
    const { proxy } = cluster.primary;
    const controller = new AbortController();
    const stop = proxy.onStatement((text) => {
      if (COMMIT.test(text)) {
        proxy.freeze("toClient");
        controller.abort(new Error("enough"));
      }
    });
    const signal = how === "abort" ? { signal: controller.signal } : {};
    const write = db.query("INSERT INTO work VALUES ('x')", [], { exactlyOnce: true, ...signal });
    expect(await errorOf(write)).toBeInstanceOf(OutcomeUnknownError);
    stop();
    proxy.thaw();
    await until("the commit to land", async () => (await rows()) === 1);
    await db.close();
  });

  it("waits for a primary that hangs while it is asked", async () => {
    const node = cluster.primary;
    const db = stackOn(cluster);
    using fault = node.proxy.dropReply({ to: COMMIT, times: 1 });
    const stop = node.proxy.onStatement((text) => QUESTION.test(text) && node.state === "running" && node.hang());
    const down = new Promise<void>((resolve) => db.on("router:node-down", () => resolve()));
    const write = db.query("INSERT INTO work VALUES ('x')", [], { exactlyOnce: true });
    await down;
    stop();
    node.resume();
    expect((await write).rowCount).toBe(1);
    expect(await rows()).toBe(1);
    expect(fault.hits).toBe(1);
    await db.close();
  });

  it("ends a transaction that stays open although its client is gone, and runs it again", async () => {
    const node = cluster.primary;
    const db = stackOn(cluster, { commitResolution: { graceMs: 50 }, pool: { max: 2 } });
    const told = resolutions(db);
    // What deferred constraints do in COMMIT takes as long as it takes; the first time too long.
    await node.query(`CREATE TABLE slow (id text); CREATE SEQUENCE first_time;
      CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('first_time') = 1 THEN PERFORM pg_sleep(600); END IF; RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()`);
    const write = db.query("INSERT INTO slow VALUES ('x') RETURNING id", [], { exactlyOnce: true });
    await until("the COMMIT to wait", async () => {
      const waiting = await node.query(
        "SELECT FROM pg_stat_activity WHERE query ~* '^commit' AND wait_event = 'PgSleep'",
      );
      return waiting.length === 1;
    });
    node.proxy.cutAll();
    expect((await write).rows).toStrictEqual([{ id: "x" }]);
    expect(told).toMatchObject([{ outcome: "rolled-back" }]);
    expect(await node.query("SELECT FROM slow")).toHaveLength(1);
    await db.close();
    await noConnectionLeft(cluster);
  });
});
