/** Scenarios behind a real PgBouncer, which says everything in 08P01. */
import type { Socket } from "node:net";
import type pg from "pg";
import { type Bouncer, bouncerBinaries, bouncerBinary, startBouncer } from "./bouncer.ts";
import { errorOf, type Lab, type Session } from "./lab.ts";
import type { Observation } from "./law.ts";
import type { Scenario } from "./scenario.ts";

/** A scenario behind a PgBouncer of its own. */
function behind(
  name: string,
  settings: Readonly<Record<string, string | number>>,
  run: (lab: Lab, open: (database?: string) => Promise<Session>) => Promise<readonly Observation[]>,
  binary: string | undefined = bouncerBinary,
): Scenario {
  return {
    name: `behind PgBouncer ${name}`,
    skip: async () => (binary === undefined ? "needs pgbouncer; BREAKWATER_PGBOUNCER names it" : undefined),
    async run(lab) {
      const bouncer: Bouncer = await startBouncer(lab.primary, settings, undefined, binary);
      try {
        return await run(lab, (database = "postgres") => lab.open(lab.primary, { port: bouncer.port, database }));
      } finally {
        bouncer.stop();
      }
    },
  };
}

/** Uses a name that was never prepared, in the middle of a write; all in one message, as the pooler cuts the link at once. */
function useUnprepared({ client }: Session, id: string): Promise<unknown> {
  return new Promise((resolve) => {
    client.query({
      submit(connection: pg.Connection & { readonly stream: Socket }) {
        connection.stream.cork();
        connection.parse({ name: "", text: insert(id), types: [] }, true);
        connection.bind({ portal: "", statement: "never prepared", values: [] }, true);
        connection.execute({ portal: "", rows: 0 } as never, true);
        connection.sync();
        process.nextTick(() => connection.stream.uncork());
      },
      handleError: resolve,
      handleReadyForQuery: () => resolve(undefined),
    } as never);
  });
}

const insert = (id: string, seconds = 0): string => `insert into ledger select '${id}' from pg_sleep(${seconds})`;

/** Behind PgBouncer. */
export const poolerScenarios: readonly Scenario[] = [
  behind("calls that wait for a server connection in vain", { query_wait_timeout: 1 }, async (lab, open) => {
    const id = lab.key();
    const holder = await open();
    await holder.client.query("begin");
    const [read, write, begin] = [await open(), await open(), await open()];
    const R = errorOf(read.client.query("select 1"));
    const W = errorOf(write.client.query(insert(id)));
    const T = errorOf(begin.client.query("begin"));
    const row = "pgbouncer waiting";
    const phase = "acquire";
    return [
      { row, phase, column: "R", law: "other drop", error: await R },
      { row, phase, column: "W", law: "other drop", error: await W, kept: await lab.kept(id) },
      { row, phase, column: "T", law: "tx drop", error: await T },
    ];
  }),
  behind("calls whose server process crashed", { default_pool_size: 2 }, async (lab, open) => {
    const ids = { W: lab.key(), T: lab.key() };
    const [write, inside] = [await open(), await open()];
    await inside.client.query("begin");
    const W = errorOf(write.client.query(insert(ids.W, 60)));
    const T = errorOf(inside.client.query(insert(ids.T, 60)));
    const pid = await lab.sleeper(2);
    await lab.primary.killBackend(pid);
    const row = "pgbouncer lost its server";
    return [
      { row, column: "W", law: "res drop", error: await W, kept: await lab.kept(ids.W) },
      { row, column: "T", law: "tx drop", error: await T, kept: await lab.kept(ids.T) },
    ];
  }),
  behind("calls that take longer than it allows", { query_timeout: 1 }, async (lab, open) => {
    const id = lab.key();
    const error = await errorOf((await open()).client.query(insert(id, 60)));
    const row = "pgbouncer lost its server";
    return [{ row, column: "W", law: "res drop", error, kept: await lab.kept(id) }];
  }),
  behind("a transaction that stays idle", { idle_transaction_timeout: 1 }, async (_lab, open) => {
    const session = await open();
    await session.client.query("begin");
    return [{ row: "pgbouncer lost its server", column: "T", law: "tx drop", error: await session.lost }];
  }),
  behind("more clients than it allows", { max_client_conn: 1 }, async (_lab, open) => {
    await open();
    return [{ row: "pgbouncer full", column: "C", law: "same slow", error: await errorOf(open()) }];
  }),
  behind("a database that it does not know", {}, async (_lab, open) => [
    { row: "pgbouncer refused", column: "C", law: "no", error: await errorOf(open("nowhere")) },
  ]),
  behind(
    "a prepared statement that it does not know",
    {},
    async (lab, open) => {
      const ids = { W: lab.key(), T: lab.key() };
      const [alone, inside] = [await open(), await open()];
      const W = await useUnprepared(alone, ids.W);
      await inside.client.query("begin");
      await inside.client.query(insert(ids.T));
      const T = await useUnprepared(inside, lab.key());
      const row = "pgbouncer knows no such statement";
      return [
        { row, column: "W", law: "same drop once", error: W, kept: await lab.kept(ids.W) },
        { row, column: "T", law: "tx drop", error: T, kept: await lab.kept(ids.T) },
      ];
    },
    bouncerBinaries.find(({ keeps }) => keeps)?.file,
  ),
  behind("a server that is down", { query_wait_timeout: 3 }, async (lab, open) => {
    const session = await open();
    const id = lab.key();
    await lab.primary.stop("immediate");
    try {
      const error = await errorOf(session.client.query(insert(id)));
      const again = await errorOf(open().then(({ client }) => client.query("select 1")));
      await lab.primary.start();
      const kept = await lab.kept(id);
      return [
        { row: "pgbouncer waiting", phase: "acquire", column: "W", law: "other drop", error, kept },
        { row: "pgbouncer waiting", phase: "acquire", column: "C", law: "other", error: again },
      ];
    } finally {
      if (lab.primary.state !== "running") await lab.primary.start();
    }
  }),
];
