/** Scenarios on a healthy primary: the statement is wrong, or others stand in its way. */
import { errorOf, type Lab, type Session } from "./lab.ts";
import type { Observation } from "./law.ts";
import type { Scenario } from "./scenario.ts";

/** Errors that say that the statement is wrong, in every place where they can come up. */
const wrong: Scenario = {
  name: "statements that are wrong",
  async run(lab) {
    const id = lab.key();
    const one = await lab.opened(lab.primary, `insert into ledger values ('${id}')`);
    const fresh = lab.key();
    const row = "SQLSTATE";
    const seen: Observation[] = [];
    const on = async (column: Observation["column"], text: string): Promise<void> => {
      seen.push({ row, column, law: "no", error: await errorOf(one.client.query(text)), session: one });
    };
    await on("R", "select 'x'::int");
    await on("R", "select from nowhere");
    await on("R", "select 1 / 0");
    await on("W", `insert into ledger values ('${id}')`);
    await on("W", `insert into ledger values ('${fresh}'), ('${id}')`);
    await on("W", "insert into nowhere values (1)");
    await on("W", "do $$ begin raise 'P0001'; end $$");
    await one.client.query("begin");
    await on("T", `insert into ledger values ('${id}')`);
    seen.push({
      row: "25P02",
      column: "T",
      law: "no",
      error: await errorOf(one.client.query("select 1")),
      session: one,
    });
    await one.client.query("rollback");
    await one.client.query(`begin; insert into twin values ('${id}'), ('${id}')`);
    await on("K", "commit");
    const kept = await lab.kept(fresh);
    return seen.map((observation) => (observation.column === "W" ? { ...observation, kept } : observation));
  },
};

/** Too few parameters: the same code as a broken protocol, but only the statement is wrong. */
const parameters: Scenario = {
  name: "a statement with too few parameters",
  async run(lab) {
    const session = await lab.open(lab.primary);
    const row = "08P01 message";
    const id = lab.key();
    const read = await errorOf(session.client.query("select $1::int, $2::int", [1]));
    const write = await errorOf(session.client.query("insert into ledger values ($1, $2)", [id]));
    return [
      { row, column: "R", law: "no", error: read, session },
      { row, column: "W", law: "no", error: write, kept: await lab.kept(id), session },
    ];
  },
};

/** A transaction that holds a row which others want. */
async function holder(lab: Lab, id: string): Promise<Session> {
  return lab.opened(
    lab.primary,
    `insert into ledger values ('${id}')`,
    "begin",
    `update ledger set n = 1 where id = '${id}'`,
  );
}

const serialization: Scenario = {
  name: "transactions that cannot be serialized",
  async run(lab) {
    const seen: Observation[] = [];
    for (const column of ["W", "T"] as const) {
      const id = lab.key();
      const other = await holder(lab, id);
      const session = await lab.opened(lab.primary, "set default_transaction_isolation = 'repeatable read'");
      if (column === "T") await session.client.query("begin; select 1");
      const error = errorOf(session.client.query(`update ledger set n = 2 where id = '${id}'`));
      await lab.waiting("transactionid", session);
      await other.client.query("commit");
      seen.push({ row: "40001", column, law: column === "W" ? "same" : "tx", error: await error, session });
    }
    const [a, b] = [lab.key(), lab.key()];
    const begin = "begin isolation level serializable";
    const read = `select sum(n) from ledger where id in ('${a}', '${b}')`;
    const first = await lab.opened(lab.primary, begin, read, `insert into ledger values ('${a}', 1)`);
    const second = await lab.opened(lab.primary, begin, read, `insert into ledger values ('${b}', 1)`);
    await first.client.query("commit");
    const error = await errorOf(second.client.query("commit"));
    return [...seen, { row: "40001", column: "K", law: "tx", error, kept: await lab.kept(b), session: second }];
  },
};

const deadlock: Scenario = {
  name: "the victim of a deadlock",
  async run(lab) {
    const row = "40P01";
    const victim = async (column: "W" | "T", patience: string): Promise<Observation> => {
      const [a, b] = [`1${lab.key()}`, `2${lab.key()}`];
      await lab.primary.query("insert into ledger values ($1)", [a]);
      const other = await holder(lab, b);
      await other.client.query("set deadlock_timeout = '60s'");
      // Each side looks for a deadlock once, when it has waited this long: who looks first once there is one, is ended.
      const session = await lab.opened(lab.primary, `set deadlock_timeout = '${patience}'`);
      const wantsFirst = (): Promise<unknown> => other.client.query(`update ledger set n = 3 where id = '${a}'`);
      const inOrder = `select id from ledger where id in ('${a}', '${b}') order by id for update`;
      let waits: Promise<unknown>;
      let error: Promise<unknown>;
      if (column === "T") {
        await session.client.query(`begin; update ledger set n = 2 where id = '${a}'`);
        waits = wantsFirst();
        await lab.waiting("transactionid", other);
        error = errorOf(session.client.query(`update ledger set n = 2 where id = '${b}'`));
      } else {
        error = errorOf(session.client.query(`update ledger set n = 2 from (${inOrder}) x where ledger.id = x.id`));
        await lab.waiting("transactionid", session);
        waits = wantsFirst();
      }
      const observation = { row, column, law: column === "W" ? "same" : "tx", error: await error, session };
      await waits;
      return observation;
    };
    return [await victim("T", "10ms"), await victim("W", "1s")];
  },
};

const locks: Scenario = {
  name: "locks that are not available",
  async run(lab) {
    const id = lab.key();
    await holder(lab, id);
    const session = await lab.opened(lab.primary, "set lock_timeout = '30ms'");
    const row = "55P03";
    const nowait = `select n from ledger where id = '${id}' for update nowait`;
    const update = `update ledger set n = 2 where id = '${id}'`;
    const seen: Observation[] = [
      { row, column: "R", law: "same lock", error: await errorOf(session.client.query(nowait)), session },
      { row, column: "W", law: "same lock", error: await errorOf(session.client.query(update)), session },
    ];
    await session.client.query("begin");
    const error = await errorOf(session.client.query(update));
    return [...seen, { row, column: "T", law: "tx lock", error, session }];
  },
};

/** Prepared statements whose name the server does not know, knows otherwise, or whose result has changed. */
const prepared: Scenario = {
  name: "prepared statements that do not fit any more",
  async run(lab) {
    const seen: Observation[] = [];
    const table = `t${lab.key().replaceAll("-", "")}`;
    await lab.primary.query(`create table ${table} (id text)`);
    const texts = {
      R: `select * from ${table}`,
      T: `select * from ${table}`,
      W: `insert into ${table} values ('x') returning *`,
    };
    const laws = { R: "same", T: "tx", W: "same once" };
    const spoil = {
      "26000": () => "deallocate all",
      "0A000 stale plan": () => `alter table ${table} add column c${lab.key().replaceAll("-", "")} int`,
      "42P05": () => "prepare taken as select 1",
    };
    for (const [row, text] of Object.entries(spoil)) {
      for (const column of ["R", "W", "T"] as const) {
        const session = await lab.open(lab.primary);
        const named = { name: "taken", text: texts[column] };
        if (row !== "42P05") await session.client.query(named);
        await session.client.query(text());
        const before = await rows(lab, table);
        if (column === "T") await session.client.query("begin");
        const error = await errorOf(session.client.query(named));
        const kept = (await rows(lab, table)) !== before;
        seen.push({ row, column, law: laws[column], error, session, ...(column === "W" && { kept }) });
      }
    }
    return seen;
  },
};

async function rows(lab: Lab, table: string): Promise<number> {
  const [row] = await lab.primary.query<{ n: number }>(`select count(*)::int as n from ${table}`);
  return row?.n ?? 0;
}

/** Limits of the server that a statement can run into. */
const resources: Scenario = {
  name: "limits of the server",
  async run(lab) {
    const id = lab.key();
    const locked = "select count(pg_advisory_xact_lock(g)) from (select generate_series(1, 5000000) g) x";
    const session = await lab.open(lab.primary);
    const small = await lab.opened(lab.primary, "set temp_file_limit = '64kB'", "set work_mem = '64kB'");
    const { client } = session;
    const seen: Observation[] = [
      { row: "53000", column: "R", law: "other once", error: await errorOf(client.query(locked)), session },
      {
        row: "53000",
        column: "W",
        law: "no",
        error: await errorOf(client.query(`with l as (${locked}) insert into ledger select '${id}', count from l`)),
        kept: await lab.kept(id),
        session,
      },
      {
        row: "53400",
        column: "R",
        law: "no",
        error: await errorOf(small.client.query("select g from generate_series(1, 100000) g order by random()")),
        session: small,
      },
      {
        row: "58",
        column: "R",
        law: "other",
        error: await errorOf(client.query("select pg_read_file('/nowhere')")),
        session,
      },
    ];
    await client.query("begin");
    return [
      ...seen,
      { row: "53000", column: "T", law: "tx once", error: await errorOf(client.query(locked)), session },
    ];
  },
};

/** On a healthy primary. */
export const statementScenarios: readonly Scenario[] = [
  wrong,
  parameters,
  serialization,
  deadlock,
  locks,
  prepared,
  resources,
];
