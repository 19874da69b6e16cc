/** A scenario about a statement's helpers: a worker that is terminated ends the statement, not the connection. */
import { errorOf, type Lab, type Session, until } from "./lab.ts";
import type { Scenario } from "./scenario.ts";

const SETTINGS = `set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
  set min_parallel_table_scan_size = 0; set parallel_leader_participation = off`;

async function workerOf(lab: Lab, session: Session): Promise<number> {
  let worker: number | undefined;
  await until("a parallel worker", async () => {
    const text = "select pid from pg_stat_activity where leader_pid = $1";
    [worker] = (await lab.primary.query<{ pid: number }>(text, [session.pid])).map(({ pid }) => pid);
    return worker !== undefined;
  });
  return worker ?? 0;
}

const workers: Scenario = {
  name: "a statement whose helper process was terminated",
  async run(lab) {
    await lab.primary.query(`create table if not exists many as select g from generate_series(1, 20000) g`);
    await lab.primary.query(`create or replace function nap(i int) returns int language plpgsql parallel safe as
      $$ begin perform pg_sleep(0.05); return i; end $$`);
    const read = "select count(nap(g)) from many";
    const session = await lab.opened(lab.primary, SETTINGS);
    const R = errorOf(session.client.query(read));
    await lab.primary.query("select pg_terminate_backend($1)", [await workerOf(lab, session)]);
    const error = await R;
    await session.client.query("begin");
    const T = errorOf(session.client.query(read));
    await lab.primary.query("select pg_terminate_backend($1)", [await workerOf(lab, session)]);
    const row = "57P01 worker";
    return [
      { row, column: "R", law: "other", error, session },
      { row, column: "T", law: "tx", error: await T, session },
    ];
  },
};

/** Statements that run in several processes. */
export const parallelScenarios: readonly Scenario[] = [workers];
