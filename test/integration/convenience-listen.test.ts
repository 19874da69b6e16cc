import { type Cluster, startCluster } from "@breakwater/chaos";
import { type NotificationGap, OptionError, PoolClosedError, UsageError } from "@breakwater/core";
import { type Database } from "breakwater";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { closeStacks, noConnectionLeft, stackOn } from "../support/database.ts";
import { errorOf, until } from "../support/wait.ts";

describe("listen", () => {
  let cluster: Cluster;
  let db: Database;

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 1 });
    db = stackOn(cluster);
  });

  afterAll(async () => {
    await closeStacks();
    await noConnectionLeft(cluster);
    await cluster.close();
  });

  it("hears what is sent to each channel, over one connection, whatever its name", async () => {
    const heard: string[] = [];
    const names = ["plain", 'odd "name"; --', "Ünï", "x".repeat(63)];
    const all = await Promise.all(
      names.map((name) => db.listen(name, ({ channel, payload }) => heard.push(`${channel}:${payload}`))),
    );
    const twice = await db.session().listen("plain", ({ payload }) => heard.push(`again:${payload}`));
    const listening = await cluster.primary.query("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
    expect(listening).toHaveLength(1);
    expect(db.stats().active).toBe(1);
    for (const name of names) await db.notify(name, `to ${name}`);
    await db.notify("plain");
    await until("all to be heard", () => heard.length === 7);
    expect(heard.toSorted()).toEqual(
      [...names.map((name) => `${name}:to ${name}`), "plain:", "again:to plain", "again:"].toSorted(),
    );
    await all[0]?.unlisten();
    await all[0]?.unlisten();
    await db.transaction(async (transaction) => {
      await transaction.notify("plain", "last");
      expect(heard).toHaveLength(7);
    });
    await until("the last to be heard", () => heard.length === 8);
    expect(heard.at(-1)).toBe("again:last");
    await twice[Symbol.asyncDispose]();
    await Promise.all(all.map((each) => each.unlisten()));
    await until("the connection to be back", () => db.stats().active === 0);
  });

  it("refuses names that cannot be one, and listeners that are none", async () => {
    for (const name of ["", "a\0b", "x".repeat(64), "ü".repeat(32), 7 as never]) {
      expect(await errorOf(db.listen(name, () => undefined))).toBeInstanceOf(OptionError);
      expect(await errorOf(db.notify(name))).toBeInstanceOf(OptionError);
    }
    expect(await errorOf(db.listen("a", undefined as never))).toBeInstanceOf(UsageError);
    expect(await errorOf(db.listen("a", () => undefined, { gap: 1 } as never))).toBeInstanceOf(OptionError);
    expect(
      await errorOf(db.listen("a", () => undefined, { signal: AbortSignal.abort(new Error("left")) })),
    ).toMatchObject({
      message: "left",
    });
    expect(db.stats().active).toBe(0);
  });

  it("goes on when a listener throws", async () => {
    const heard: string[] = [];
    const warned: string[] = [];
    const onWarning = (warning: Error): void => void warned.push(warning.message);
    process.on("warning", onWarning);
    await using throwing = await db.listen("a", () => {
      throw new Error("planted");
    });
    await using rejecting = await db.listen("a", () => Promise.reject(new Error("planted too")));
    await using listening = await db.listen("a", ({ payload }) => heard.push(payload));
    await db.notify("a", "1");
    await db.notify("a", "2");
    await until("both to be heard", () => heard.length === 2);
    await until("the warnings", () => warned.length === 4);
    process.removeListener("warning", onWarning);
    expect([throwing, rejecting, listening].map(({ channel }) => channel)).toEqual(["a", "a", "a"]);
  });

  it("listens again when its connection is lost, and says that something may be missed", async () => {
    const heard: string[] = [];
    const gaps: NotificationGap[] = [];
    const onGap = (gap: NotificationGap): void => void gaps.push(gap);
    await using a = await db.listen("a", ({ payload }) => heard.push(payload), { onGap });
    await using b = await db.listen("b", ({ payload }) => heard.push(payload), { onGap });
    for (let round = 1; round <= 3; round += 1) {
      await cluster.primary.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
      await until("the gap to be told", () => gaps.length === 2 * round);
      await db.notify("a", `a${round}`);
      await db.notify("b", `b${round}`);
      await until("both to be heard", () => heard.length === 2 * round);
    }
    expect(gaps.map(({ channel }) => channel)).toEqual(["a", "b", "a", "b", "a", "b"]);
    for (const { gapMs, error } of gaps) {
      expect(gapMs).toBeGreaterThanOrEqual(0);
      expect(error).toBeInstanceOf(Error);
    }
    expect([a.channel, b.channel]).toEqual(["a", "b"]);
  });

  it("survives a restart of the server, and a failover", { timeout: 120_000 }, async () => {
    const heard: string[] = [];
    let gaps = 0;
    const listening = await db.listen("a", ({ payload }) => heard.push(payload), { onGap: () => (gaps += 1) });
    await cluster.primary.restart();
    await until("it to be heard again", () => gaps >= 1);
    await db.notify("a", "after the restart");
    await until("it to be heard", () => heard.length === 1);
    const before = gaps;
    await cluster.waitForStreaming();
    await cluster.failover();
    await until("it to be heard again", () => gaps > before);
    await db.notify("a", "after the failover");
    await until("it to be heard", () => heard.length === 2);
    expect(heard).toEqual(["after the restart", "after the failover"]);
    await listening.unlisten();
    await until("the connection to be back", () => db.stats().active === 0);
  });

  it("ends with its database, at once, also while it listens again", async () => {
    const own = stackOn(cluster);
    const listening = await own.listen("a", () => undefined);
    const started = performance.now();
    await own.close();
    expect(performance.now() - started).toBeLessThan(5_000);
    await listening.unlisten();
    expect(await errorOf(own.listen("a", () => undefined))).toBeInstanceOf(PoolClosedError);
  });

  it("can come and go at any time, and leaves nothing behind", async () => {
    const rounds = Array.from({ length: 200 }, async (_, index) => {
      const listening = await db.listen(`c${index % 7}`, () => undefined);
      if (index % 3 === 0) await db.notify(`c${index % 7}`, "x");
      await listening.unlisten();
    });
    await Promise.all(rounds);
    for (let index = 0; index < 30; index += 1) {
      const [first, second] = [db.listen("a", () => undefined), db.listen("b", () => undefined)];
      const ending = (await first).unlisten();
      const third = db.listen("c", () => undefined);
      await Promise.all([ending, (await second).unlisten(), (await third).unlisten()]);
    }
    await until("the connection to be back", () => db.stats().active === 0);
    expect(await db.value("SELECT 1")).toBe(1);
  });
});
