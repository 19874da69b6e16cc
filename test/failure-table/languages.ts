/** Scenarios on a server that speaks Russian: `pg` passes on the translated word for ERROR, and nothing else but the code. */
import { errorOf, type Lab, type Session } from "./lab.ts";
import type { Observation } from "./law.ts";
import type { Scenario } from "./scenario.ts";

const speak = "set lc_messages = 'C.utf8'";

function speaksRussian(error: unknown): boolean {
  return /[А-Я]/.test((error as { readonly severity?: string } | undefined)?.severity ?? "");
}

const language: Scenario = {
  name: "a server that speaks another language",
  async skip(lab) {
    const session = await lab.opened(lab.primary, speak).catch(() => undefined);
    const error = await session?.client.query("select 1 / 0").catch((caught: unknown) => caught);
    return speaksRussian(error) ? undefined : "needs a server with Russian messages and LANGUAGE=ru";
  },
  async run(lab) {
    const session = await lab.opened(lab.primary, speak);
    const id = lab.key();
    const seen: Observation[] = [];
    const on = async (row: string, column: Observation["column"], law: string, text: string): Promise<void> => {
      const error = await errorOf(session.client.query(text));
      if (!/[А-Я]/.test((error as { severity?: string }).severity ?? ""))
        throw new Error("the server does not speak Russian");
      seen.push({ row, column, law, error, session, ...(column === "W" && { kept: await lab.kept(id) }) });
    };
    await on("SQLSTATE", "W", "no", `insert into ledger values ('${id}'), ('${id}')`);
    await on("55P03", "R", "same lock", await locked(lab));
    await session.client.query("set statement_timeout = '150ms'");
    // The texts of a timeout and of a cancel are translated, and nothing else tells them apart.
    await on("57014", "R", "other timeout", "select pg_sleep(60)");
    await on("57014", "W", "no", `insert into ledger select '${id}' from pg_sleep(60)`);
    await session.client.query("set statement_timeout = 0");
    seen.push(await terminated(lab, await lab.opened(lab.primary, speak), id));
    const standby = await lab.opened(lab.replica, speak);
    const refused = await errorOf(standby.client.query("select from quick"));
    seen.push({ row: "0A000 standby", column: "R", law: "prim", error: refused, session: standby });
    const write = await errorOf(standby.client.query(`insert into ledger values ('${id}')`));
    seen.push({ row: "25006", column: "W", law: "prim", error: write, kept: await lab.kept(id), session: standby });
    return [...seen, await yielded(lab, standby)];
  },
};

async function locked(lab: Lab): Promise<string> {
  const id = lab.key();
  await lab.opened(
    lab.primary,
    `insert into ledger values ('${id}')`,
    "begin",
    `update ledger set n = 1 where id = '${id}'`,
  );
  return `select n from ledger where id = '${id}' for update nowait`;
}

async function terminated(lab: Lab, session: Session, id: string): Promise<Observation> {
  const error = errorOf(session.client.query(`insert into ledger select '${id}' from pg_sleep(60)`));
  await lab.waiting("PgSleep", session);
  await lab.primary.query("select pg_terminate_backend($1)", [session.pid]);
  return { row: "57P01", column: "W", law: "res drop", error: await error, kept: await lab.kept(id) };
}

async function yielded(lab: Lab, session: Session): Promise<Observation> {
  const error = errorOf(session.client.query("select count(*), pg_sleep(60) from quiet"));
  await lab.waiting("PgSleep", session);
  await lab.primary.query("begin; lock table quiet in access exclusive mode; select pg_current_xact_id(); commit");
  return { row: "40001 recovery", column: "R", law: "other", error: await error, session };
}

/** On servers whose messages are translated. */
export const languageScenarios: readonly Scenario[] = [language];
