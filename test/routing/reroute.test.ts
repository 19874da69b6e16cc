/** What a text does not tell: functions are looked up in the catalog, and what a standby refuses goes to the primary. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "@breakwater/chaos";
import { breakwater, type Database } from "breakwater";

const LIMIT_MS = 60_000;

const SCHEMA = `
  CREATE SEQUENCE ids;
  CREATE TABLE touched (at timestamptz);
  CREATE UNLOGGED TABLE scratch (n int);
  CREATE VIEW next_id AS SELECT nextval('ids') AS id;
  CREATE VIEW position AS SELECT pg_current_wal_lsn() AS lsn;
  CREATE VIEW message AS SELECT pg_logical_emit_message(true, 'test', 'hello') AS lsn;
  CREATE FUNCTION plus_tax(n numeric) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT n * 1.2';
  CREATE FUNCTION rows_touched() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM touched';
  CREATE FUNCTION touch() RETURNS void VOLATILE LANGUAGE sql AS 'INSERT INTO touched VALUES (now())';
  CREATE FUNCTION liar() RETURNS bigint STABLE LANGUAGE plpgsql AS 'BEGIN RETURN nextval(''ids''); END';
  CREATE FUNCTION mixed(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION mixed(text) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';
  CREATE SCHEMA hidden;
  CREATE FUNCTION hidden.plus_tax(n numeric) RETURNS numeric VOLATILE LANGUAGE sql AS 'SELECT n * 1.2';
  CREATE FUNCTION "Camel Case"() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION add_up(state int, n int) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT state + n';
  CREATE AGGREGATE odd_sum(int) (sfunc = add_up, stype = int, initcond = '0');
  CREATE AGGREGATE even_sum(int) (sfunc = int4pl, stype = int, initcond = '0');
`;

let cluster: Cluster;
let db: Database;
const onReplica = new Set<string>();
const onPrimary: string[] = [];

function open(lookUpFunctions: boolean): Database {
  return breakwater({
    primary: cluster.primary.connectionString,
    replicas: cluster.replicas.map((node) => node.connectionString),
    router: { lookUpFunctions },
  });
}

beforeAll(async () => {
  cluster = await startCluster({ replicas: 1 });
  await cluster.primary.query(SCHEMA);
  await cluster.waitForStreaming();
  cluster.primary.proxy.onStatement((text) => void onPrimary.push(text));
  cluster.replicas[0]?.proxy.onStatement((text) => void onReplica.add(text));
  db = open(true);
}, LIMIT_MS);

afterAll(async () => {
  await db?.close({ drainMs: 100 });
  await cluster?.close();
}, LIMIT_MS);

const eventual = { consistency: "eventual" } as const;

/** Asks until the catalog has answered and the replica serves the text; false when it never does. */
async function reachesReplica(text: string, database: Database = db, goes = 200): Promise<boolean> {
  for (let go = 0; go < goes; go += 1) {
    await database.query(text, [], eventual);
    if (onReplica.has(text)) return true;
  }
  return false;
}

describe("functions that are not built in", () => {
  it.each([
    "SELECT plus_tax(1)",
    "SELECT public.plus_tax(2)",
    "SELECT rows_touched()",
    'SELECT "Camel Case"()',
    "SELECT even_sum(n) FROM generate_series(1, 3) AS n",
    "SELECT plus_tax(3) + rows_touched()",
  ])("go to a replica once the catalog has said that they change nothing: %s", async (text) => {
    expect(await reachesReplica(text)).toBe(true);
  });

  it.each([
    "SELECT touch()",
    "SELECT mixed(1)",
    "SELECT hidden.plus_tax(1)",
    "SELECT odd_sum(n) FROM generate_series(1, 3) AS n",
    "SELECT plus_tax(4), touch()",
  ])("stay on the primary when any function that the name may mean is volatile: %s", async (text) => {
    // By the time that this one is a read, the catalog has been asked for the other as well.
    expect(await reachesReplica(text, db, 20)).toBe(false);
    expect(await reachesReplica(`SELECT plus_tax(5) -- after ${text}`)).toBe(true);
    expect(await reachesReplica(text, db, 5)).toBe(false);
  });

  it("stay on the primary where the catalog is not to be believed", async () => {
    const wary = open(false);
    expect(await reachesReplica("SELECT plus_tax(6)", wary, 30)).toBe(false);
    await wary.close();
  });

  it("are sent to the primary when one of them has lied, and stay there", async () => {
    const text = "SELECT liar()";
    expect(await reachesReplica(text)).toBe(true);
    onReplica.delete(text);
    expect(await reachesReplica(text, db, 20)).toBe(false);
  });
});

describe("a read that a standby refuses", () => {
  it.each([
    ["25006", "SELECT id FROM next_id"],
    ["0A000", "SELECT n FROM scratch"],
    ["55000", "SELECT lsn FROM position"],
    ["XX000 or 25006", "SELECT lsn FROM message"],
  ])("with %s runs on the primary, once, is told and remembered: %s", async (_code, text) => {
    const told: unknown[] = [];
    const stop = db.on("router:read-refused", ({ node, label }) => void told.push([node, label]));
    const counted = (): unknown => db.stats().policies.find(({ policy }) => policy === "router")?.["readsRefused"];
    const before = counted();
    await db.query(text, [], { ...eventual, label: "hidden" });
    expect(onReplica.has(text)).toBe(true);
    expect(onPrimary.filter((each) => each === text)).toHaveLength(1);
    expect(told).toEqual([[expect.stringContaining(":"), "hidden"]]);
    expect(counted()).toBe(Number(before) + 1);
    onReplica.delete(text);
    await db.query(text, [], eventual);
    expect(onReplica.has(text)).toBe(false);
    stop();
  });

  it("goes to the primary each time where the caller has said that it is a read", async () => {
    const text = "SELECT id FROM next_id WHERE true";
    for (let go = 0; go < 2; go += 1) {
      onReplica.delete(text);
      await db.query(text, [], { ...eventual, access: "read" });
      expect(onReplica.has(text)).toBe(true);
    }
  });
});
