/** Scenarios about the end of a call: answers that got lost, idle connections that ended, standbys that are missing. */
import { errorOf, type Lab, type Session, until } from "./lab.ts";
import type { Observation } from "./law.ts";
import type { Scenario } from "./scenario.ts";

/** The server did it, the client never heard. */
const dropped: Scenario = {
  name: "answers that got lost",
  async run(lab) {
    const ids = { W: lab.key(), K: lab.key() };
    const write = await lab.open(lab.primary, { proxied: true });
    using _insert = lab.primary.proxy.dropReply({ to: /^insert/, times: 1 });
    const W = await errorOf(write.client.query(`insert into ledger values ('${ids.W}')`));
    const commit = await lab.open(lab.primary, { proxied: true });
    await commit.client.query("begin");
    await commit.client.query(`insert into ledger values ('${ids.K}')`);
    using _commit = lab.primary.proxy.dropReply({ to: /^commit/, times: 1 });
    const K = await errorOf(commit.client.query("commit"));
    const row = "socket lost";
    return [
      { row, column: "W", law: "res drop", error: W, kept: await lab.kept(ids.W), session: write },
      { row, column: "K", law: "res drop", error: K, kept: await lab.kept(ids.K), session: commit },
    ];
  },
};

/** The client cannot tell this from an answer that got lost. */
const unheard: Scenario = {
  name: "a write that never arrived",
  async run(lab) {
    const id = lab.key();
    const session = await lab.open(lab.primary, { proxied: true });
    using _cut = lab.primary.proxy.cutBefore({ to: /^insert/, times: 1 });
    const error = await errorOf(session.client.query(`insert into ledger values ('${id}')`));
    return [{ row: "socket lost", column: "W", law: "res drop", error, kept: await lab.kept(id), session }];
  },
};

/** A connection that ends while nothing runs: the next use of it is never sent. */
const idle: Scenario = {
  name: "a connection that was terminated while it was idle",
  async run(lab) {
    const ids = { W: lab.key(), K: lab.key() };
    const alone = await lab.open(lab.primary);
    const inside = await lab.opened(lab.primary, "begin", `insert into ledger values ('${ids.K}')`);
    await lab.primary.query("select pg_terminate_backend(pid) from unnest($1::int[]) pid", [[alone.pid, inside.pid]]);
    const lost: readonly Observation[] = [
      { row: "57P01", column: "B", law: "other drop", error: await alone.lost },
      { row: "57P01", column: "T", law: "tx drop", error: await inside.lost },
    ];
    const row = "pg not queryable";
    const phase = "unsent";
    const R = await errorOf(alone.client.query("select 1"));
    const W = await errorOf(alone.client.query(`insert into ledger values ('${ids.W}')`));
    const T = await errorOf(inside.client.query("select 1"));
    const K = await errorOf(inside.client.query("commit"));
    return [
      ...lost,
      { row, phase, column: "R", law: "other drop", error: R },
      { row, phase, column: "W", law: "other drop", error: W, kept: await lab.kept(ids.W) },
      { row, phase, column: "T", law: "tx drop", error: T },
      { row, phase, column: "K", law: "tx drop", error: K, kept: await lab.kept(ids.K) },
    ];
  },
};

/** The server's own patience with idle sessions and open transactions. */
const patience: Scenario = {
  name: "a transaction that the server gave up waiting for",
  async run(lab) {
    const id = lab.key();
    // Set last: on a busy machine the session may be idle for a while between its statements.
    const set = "set idle_in_transaction_session_timeout = '30ms'";
    const session = await lab.opened(lab.primary, "begin", `insert into ledger values ('${id}')`, set);
    const seen: Observation[] = [{ row: "25P03", column: "T", law: "tx drop once", error: await session.lost }];
    const K = await errorOf(session.client.query("commit"));
    seen.push({
      row: "pg not queryable",
      phase: "unsent",
      column: "K",
      law: "tx drop",
      error: K,
      kept: await lab.kept(id),
    });
    if (lab.version >= 14) {
      const alone = await lab.opened(lab.primary, "set idle_session_timeout = '30ms'");
      seen.push({ row: "25P03", column: "B", law: "other drop", error: await alone.lost });
    }
    if (lab.version >= 17) {
      const long = await lab.opened(lab.primary, "set transaction_timeout = '500ms'", "begin");
      const error = await errorOf(long.client.query("select pg_sleep(60)"));
      seen.push({ row: "25P03", column: "T", law: "tx drop once", error });
      const write = await lab.opened(lab.primary, "set transaction_timeout = '500ms'");
      const W = await errorOf(write.client.query(`insert into ledger select '${id}' from pg_sleep(60)`));
      seen.push({ row: "25P03", column: "W", law: "res drop", error: W, kept: await lab.kept(id) });
    }
    return seen;
  },
};

/** A commit that waits for a standby that is not there is durable here already, whatever the client is told. */
const synchronous: Scenario = {
  name: "commits that wait for a missing synchronous standby",
  async run(lab) {
    const ids = { W: lab.key(), K: lab.key(), cancelled: lab.key() };
    const [write, cancelled] = [await lab.open(lab.primary), await lab.open(lab.primary)];
    const commit = await lab.opened(lab.primary, "begin", `insert into ledger values ('${ids.K}')`);
    await missing(lab, true);
    try {
      const W = errorOf(write.client.query(`insert into ledger values ('${ids.W}')`));
      const K = errorOf(commit.client.query("commit"));
      const warned = cancelled.client.query(`insert into ledger values ('${ids.cancelled}')`);
      await lab.waiting("SyncRep", write, commit, cancelled);
      await aheadOnStandby(lab, Object.values(ids));
      await lab.primary.query("select pg_cancel_backend($1)", [cancelled.pid]);
      await warned;
      const code = cancelled.notices.find(({ severity }) => severity === "WARNING")?.code;
      if (code !== "01000") throw new Error(`a cancelled wait must be told by WARNING 01000, not by ${code}`);
      await lab.primary.query("select pg_terminate_backend(pid) from unnest($1::int[]) pid", [[write.pid, commit.pid]]);
      const row = "pg connection lost";
      return [
        { row, column: "W", law: "res drop", error: await told(W, write), kept: await lab.kept(ids.W) },
        { row, column: "K", law: "res drop", error: await told(K, commit), kept: await lab.kept(ids.K) },
      ];
    } finally {
      await missing(lab, false);
    }
  },
};

/** The server says 57P01, but as a WARNING: the driver shows it as a notice, and the error has no code. */
async function told(call: Promise<unknown>, session: Session): Promise<unknown> {
  const error = await call;
  const codes = session.notices.map(({ code, severity }) => `${severity} ${code}`);
  if (!codes.includes("WARNING 57P01")) throw new Error(`expected a WARNING 57P01, got ${codes.join() || "nothing"}`);
  return error;
}

async function missing(lab: Lab, on: boolean): Promise<void> {
  await lab.primary.query(
    on ? "alter system set synchronous_standby_names = 'missing'" : "alter system reset synchronous_standby_names",
  );
  await lab.primary.query("select pg_reload_conf()");
  await until("the server to reload", async () => {
    const [row] = await lab.primary.query<{ names: string }>(
      "select current_setting('synchronous_standby_names') as names",
    );
    return (row?.names === "missing") === on;
  });
}

/** An asynchronous standby shows what the primary does not show yet. */
async function aheadOnStandby(lab: Lab, ids: readonly string[]): Promise<void> {
  const text = "select from ledger where id = any ($1)";
  await until("the standby to show the rows", async () => (await lab.replica.query(text, [ids])).length === ids.length);
  const rows = await lab.primary.query(text, [ids]);
  if (rows.length > 0) throw new Error("the primary shows rows whose commit still waits");
}

/** How calls end that were already done, or never begun. */
export const endingScenarios: readonly Scenario[] = [dropped, unheard, idle, patience, synchronous];
