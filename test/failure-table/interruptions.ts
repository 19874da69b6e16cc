/** Scenarios in which something happens to four calls at once: a read, a transaction, a write and a COMMIT that run. */
import { errorOf, type Lab, type Session, until } from "./lab.ts";
import type { Observation } from "./law.ts";
import type { Scenario } from "./scenario.ts";

const COLUMNS = ["R", "T", "W", "K"] as const;
type Running = Readonly<Record<(typeof COLUMNS)[number], Session>>;

/** What the law says of each of the four calls. */
type Laws = Readonly<Record<(typeof COLUMNS)[number], string>>;

const LOST: Laws = { R: "other drop", T: "tx drop", W: "res drop", K: "res drop" };

interface Interruption {
  readonly row: string;
  readonly laws: Laws;
  /** Calls that are made; the others would not be struck. @default all four */
  readonly columns?: readonly (typeof COLUMNS)[number][];
  readonly proxied?: boolean;
  /** Run on each session first. */
  readonly before?: string;
  /** How long the four calls take, in seconds, when nothing happens to them. */
  readonly seconds?: number;
  /** What each connection is made with. */
  readonly config?: { readonly query_timeout: number };
  /** What happens while all four run; absent where it comes by itself. */
  strike?(lab: Lab, running: Running): Promise<unknown>;
  /** Whether what W and K wrote appears although the calls failed, and has to be awaited. */
  readonly appears?: boolean;
}

function interrupted(name: string, what: Interruption): Scenario {
  return { name, run: (lab) => interrupt(lab, what) };
}

async function interrupt(lab: Lab, what: Interruption): Promise<readonly Observation[]> {
  const { seconds = 60, proxied = false, before } = what;
  const open = async (): Promise<Session> => {
    const session = await lab.open(lab.primary, { proxied, ...what.config });
    if (before !== undefined) await session.client.query(before);
    return session;
  };
  const ids = { R: "", T: lab.key(), W: lab.key(), K: lab.key() };
  const running: Running = { R: await open(), T: await open(), W: await open(), K: await open() };
  const insert = (id: string): string => `insert into ledger select '${id}' from pg_sleep(${seconds})`;
  await running.T.client.query("begin");
  await running.K.client.query(`begin; insert into slow values ('${ids.K}', ${seconds})`);
  const texts = { R: `select pg_sleep(${seconds})`, T: insert(ids.T), W: insert(ids.W), K: "commit" };
  const { columns = COLUMNS } = what;
  const calls = new Map(columns.map((column) => [column, errorOf(running[column].client.query(texts[column]))]));
  if (what.strike !== undefined) {
    await lab.waiting("PgSleep", ...Object.values(running));
    await what.strike(lab, running);
  }
  await Promise.all(calls.values());
  if (lab.primary.state !== "running") await lab.primary.start();
  await lab.primary.waitUntilReady();
  if (what.appears === true)
    await until("the rows to appear", async () => (await lab.kept(ids.W)) && lab.kept(ids.K, "slow"));
  const kept = { T: await lab.kept(ids.T), W: await lab.kept(ids.W), K: await lab.kept(ids.K, "slow") };
  const seen: Observation[] = [];
  for (const [column, error] of calls) {
    const truth = column === "R" ? {} : { kept: kept[column] };
    seen.push({
      row: what.row,
      column,
      law: what.laws[column],
      error: await error,
      session: running[column],
      ...truth,
    });
  }
  return seen;
}

async function signal(lab: Lab, running: Running, by: "pg_cancel_backend" | "pg_terminate_backend"): Promise<void> {
  const pids = Object.values(running).map(({ pid }) => pid);
  await lab.primary.query(`select ${by}(pid) from unnest($1::int[]) pid`, [pids]);
}

/** Something that happens to four calls at once. The four are all running, and all have been sent. */
export const interruptionScenarios: readonly Scenario[] = [
  interrupted("calls that were cancelled by someone", {
    row: "57014 user request",
    laws: { R: "same once", T: "tx once", W: "same once", K: "tx once" },
    strike: (lab, running) => signal(lab, running, "pg_cancel_backend"),
  }),
  interrupted("calls that ran into the server's statement timeout", {
    row: "57014 statement timeout",
    laws: { R: "other timeout", T: "tx timeout", W: "no", K: "no" },
    // The server takes the limit off before it commits: what is deferred to COMMIT runs as long as it likes.
    columns: ["R", "T", "W"],
    before: "set statement_timeout = '400ms'",
  }),
  interrupted("calls that ran into the driver's query timeout", {
    row: "pg query timeout",
    laws: LOST,
    config: { query_timeout: 400 },
    seconds: 1.2,
    appears: true,
  }),
  interrupted("calls whose connection was terminated", {
    row: "57P01",
    laws: LOST,
    strike: (lab, running) => signal(lab, running, "pg_terminate_backend"),
  }),
  interrupted("calls whose connection was reset", {
    row: "socket lost",
    laws: LOST,
    proxied: true,
    strike: async (lab) => lab.primary.proxy.cutAll("reset"),
  }),
  interrupted("calls whose connection was ended without a word", {
    row: "pg connection lost",
    laws: LOST,
    proxied: true,
    strike: async (lab) => lab.primary.proxy.cutAll("fin"),
  }),
  interrupted("calls during the crash of another connection's process", {
    row: "pg connection lost",
    laws: LOST,
    strike: async (lab) => {
      const bystander = await lab.open(lab.primary);
      await lab.primary.killBackend(bystander.pid);
    },
  }),
  interrupted("calls during an immediate stop", {
    row: "pg connection lost",
    laws: LOST,
    strike: (lab) => lab.primary.stop("immediate"),
  }),
  interrupted("calls during a fast stop", {
    row: "57P01",
    laws: LOST,
    strike: (lab) => lab.primary.stop("fast"),
  }),
];
