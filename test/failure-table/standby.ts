/** Scenarios on a standby: what it refuses, and when it has to yield to replay. */
import { errorOf, type Lab } from "./lab.ts";
import type { Observation } from "./law.ts";
import type { Scenario } from "./scenario.ts";

const refusals: Scenario = {
  name: "what a standby refuses",
  async run(lab) {
    await lab.caughtUp();
    const session = await lab.open(lab.replica);
    const id = lab.key();
    const seen: Observation[] = [];
    const on = async (row: string, column: Observation["column"], text: string): Promise<void> => {
      const error = await errorOf(session.client.query(text));
      const kept = column === "W" ? await lab.kept(id) : undefined;
      seen.push({ row, column, law: "prim", error, session, ...(kept !== undefined && { kept }) });
      await session.client.query("rollback");
    };
    await on("25006", "W", `insert into ledger values ('${id}')`);
    await on("25006", "R", "select from ledger for update");
    await on("25006", "R", "select pg_current_xact_id()");
    await on("25006", "W", "notify x");
    await on("25006", "W", "listen x");
    await on("25006", "W", "lock table ledger");
    await on("25006", "W", "vacuum ledger");
    await on("25006", "K", "prepare transaction 'x'");
    await on("0A000 standby", "R", "select from quick");
    await on("0A000 standby", "T", "begin isolation level serializable");
    await on("0A000 standby", "T", "begin read write");
    await on("55000 standby", "R", "select pg_current_wal_lsn()");
    await on("55000 standby", "W", "select pg_create_restore_point('x')");
    await on("XX000 standby", "W", "select pg_logical_emit_message(true, 'a', 'b')");
    if (lab.version < 16) await on("XX000 standby", "W", "select lo_create(0)");
    if (lab.version < 16) await on("55000 standby", "W", "select lo_unlink(1)");
    await session.client.query("begin");
    await on("25006", "T", `insert into ledger values ('${id}')`);
    const other = await lab.opened(lab.replica, "set default_transaction_isolation = 'serializable'");
    const error = await errorOf(other.client.query("select from ledger"));
    seen.push({ row: "0A000 standby", column: "R", law: "prim", error });
    return seen;
  },
};

const SNAPSHOT = "select count(*) from ledger";

/** Fills, empties and vacuums: replaying that needs rows gone which old snapshots on the standby still see. */
async function conflict(lab: Lab): Promise<void> {
  await lab.primary.query("delete from ledger");
  await lab.primary.query("vacuum (freeze) ledger");
}

const recovery: Scenario = {
  name: "a standby that yields to replay",
  async run(lab) {
    await lab.primary.query("insert into ledger select gen_random_uuid() from generate_series(1, 500)");
    await lab.caughtUp();
    const begin = "begin isolation level repeatable read";
    const read = await lab.open(lab.replica);
    const inside = await lab.opened(lab.replica, begin, SNAPSHOT);
    const idle = await lab.opened(lab.replica, begin, SNAPSHOT);
    const R = errorOf(read.client.query("select count(*), pg_sleep(60) from ledger"));
    const T = errorOf(inside.client.query("select pg_sleep(60)"));
    await lab.waiting("PgSleep", read, inside);
    await conflict(lab);
    const row = "40001 recovery";
    return [
      { row, column: "R", law: "other", error: await R, session: read },
      { row, column: "T", law: "prim", error: await T, session: inside },
      { row, column: "T", law: "prim drop", error: await idle.lost },
      {
        row: "pg not queryable",
        phase: "unsent",
        column: "K",
        law: "tx drop",
        error: await errorOf(idle.client.query("commit")),
      },
    ];
  },
};

const locks: Scenario = {
  name: "a standby that yields to an exclusive lock",
  async run(lab) {
    const session = await lab.open(lab.replica);
    const error = errorOf(session.client.query("select count(*), pg_sleep(60) from ledger"));
    await lab.waiting("PgSleep", session);
    await lab.primary.query("begin; lock table ledger in access exclusive mode; select pg_current_xact_id(); commit");
    return [{ row: "40001 recovery", column: "R", law: "other", error: await error, session }];
  },
};

const database: Scenario = {
  name: "a database that is dropped under a reader",
  async run(lab) {
    const name = `d${lab.key().replaceAll("-", "")}`;
    await lab.primary.query(`create database ${name}`);
    await lab.caughtUp();
    const session = await lab.open(lab.replica, { database: name });
    const error = errorOf(session.client.query("select pg_sleep(60)"));
    await lab.waiting("PgSleep", session);
    await lab.primary.query(`drop database ${name}`);
    return [{ row: "57P04", column: "R", law: "no drop", error: await error }];
  },
};

/** On a standby. */
export const standbyScenarios: readonly Scenario[] = [refusals, recovery, locks, database];
