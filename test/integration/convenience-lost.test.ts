import { type Cluster, startCluster } from "@breakwater/chaos";
import { type Database, database } from "@breakwater/core";
import { fromPg } from "@breakwater/pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { closeStacks, noConnectionLeft, resolutions, stackOn, through } from "../support/database.ts";
import { errorOf } from "../support/wait.ts";

const COMMIT = /^commit/i;

describe("many statements and rows whose answer is lost", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
    await cluster.primary.query("CREATE TABLE kept (id int)");
  });

  afterEach(async () => {
    await closeStacks();
    await cluster.primary.query("TRUNCATE kept");
  });

  afterAll(async () => {
    await noConnectionLeft(cluster);
    await cluster.close();
  });

  const INSERT = "INSERT INTO kept VALUES ($1)";
  const ROWS = [[1], [2], [3]];
  const calls: Record<string, (db: Database) => Promise<unknown>> = {
    batch: (db) => db.batch(ROWS.map((values) => ({ text: INSERT, values }))),
    executeMany: (db) => db.executeMany(INSERT, ROWS),
    copyFrom: (db) => db.copyFrom({ table: "kept" }, ["1\n", "2\n", "3\n"]),
  };

  async function count(): Promise<unknown> {
    const [row] = await cluster.primary.query<{ n: number }>("SELECT count(*)::int AS n FROM kept");
    return row?.n;
  }

  it.each(Object.keys(calls))("%s: is found to be committed, and done once", async (name) => {
    const db = stackOn(cluster);
    const told = resolutions(db);
    await db.query("SELECT 1");
    cluster.primary.proxy.dropReply({ to: COMMIT, times: 1 });
    const value = await calls[name]?.(db);
    expect(Array.isArray(value) ? value.length : value).toBe(3);
    expect(told.map(({ outcome }) => outcome)).toEqual(["committed"]);
    expect(await count()).toBe(3);
  });

  it.each(Object.keys(calls))("%s: is found not to be committed, and done again", async (name) => {
    const db = stackOn(cluster);
    const told = resolutions(db);
    await db.query("SELECT 1");
    cluster.primary.proxy.cutBefore({ to: COMMIT, times: 1 });
    await calls[name]?.(db);
    expect(told.map(({ outcome }) => outcome)).toEqual(["rolled-back"]);
    expect(await count()).toBe(3);
  });

  it("is not done again when its rows cannot be read twice", async () => {
    const db = stackOn(cluster);
    const once = function* (): Generator<unknown[]> {
      yield* ROWS;
    };
    await db.query("SELECT 1");
    cluster.primary.proxy.cutBefore({ to: COMMIT, times: 1 });
    const error = await errorOf(db.executeMany(INSERT, once()));
    expect(error.code).toBe("ERR_BREAKWATER_ROLLED_BACK");
    expect(await count()).toBe(0);
  });

  it("is unknown where nobody finds out", async () => {
    const bare = database(fromPg(through(cluster.primary)));
    await bare.query("SELECT 1");
    cluster.primary.proxy.dropReply({ to: COMMIT, times: 1 });
    expect((await errorOf(bare.executeMany(INSERT, ROWS))).code).toBe("ERR_BREAKWATER_OUTCOME_UNKNOWN");
    await bare.close();
    const careless = stackOn(cluster);
    await careless.query("SELECT 1");
    cluster.primary.proxy.dropReply({ to: /^INSERT/i, times: 1 });
    const batch = careless.batch([{ text: INSERT, values: [4] }], { exactlyOnce: false });
    expect((await errorOf(batch)).code).toBe("ERR_BREAKWATER_OUTCOME_UNKNOWN");
    expect(await count()).toBe(4);
  });

  it("takes one round trip where nothing is to be resolved, and three where it is", async () => {
    const statements = ROWS.map((values) => ({ text: INSERT, values }));
    const sent: string[] = [];
    const stop = cluster.primary.proxy.onStatement((text) => sent.push(text));
    const db = stackOn(cluster);
    await db.batch(statements);
    const before = sent.filter((text) => /^(begin|commit)/i.test(text)).length;
    expect(before).toBe(2);
    await db.batch(statements, { exactlyOnce: false });
    await db.batch(["SELECT 1", "SELECT 2"]);
    stop();
    expect(sent.filter((text) => /^(begin|commit)/i.test(text))).toHaveLength(before);
    expect(await count()).toBe(6);
  });
});
