/** The tables of the load, and the load's calls in SQL for subjects that are pools. */
import type { FinalState, ListElement, ListStep } from "../history/operation.ts";
import type { CallAccess } from "./record.ts";
import type { Ask, Subject } from "./subject.ts";

/** Accounts, with what each has at the beginning. */
export const openingBalances: Readonly<Record<string, number>> = Object.fromEntries(
  Array.from({ length: 10 }, (_, at) => [`account-${at}`, 1_000]),
);

/** Makes the tables. None has a constraint that would hide what was done twice. */
export const workloadTables: string = `
  CREATE TABLE chaos_rows (id text NOT NULL);
  CREATE TABLE chaos_transfers (id text NOT NULL);
  CREATE TABLE chaos_accounts (name text PRIMARY KEY, balance bigint NOT NULL);
  INSERT INTO chaos_accounts VALUES ${Object.entries(openingBalances)
    .map(([name, balance]) => `('${name}', ${balance})`)
    .join(", ")};
  CREATE TABLE chaos_lists (list text PRIMARY KEY, elements text[] NOT NULL);
  CREATE TABLE chaos_registers (register text PRIMARY KEY, value text NOT NULL);`;

/** One statement of the load. */
export interface WorkloadStatement {
  /** SQL with `$1`, `$2` … for the values. */
  readonly text: string;
  /** One for each placeholder, in order. */
  readonly values: readonly unknown[];
  /** A read may be sent to a replica. */
  readonly access: "read" | "write";
  /** Who asks: within one session reads must see its own writes. */
  readonly session: string;
}

/** What a pool has to offer. */
export interface SqlSubject {
  /** Its name in reports. */
  readonly name: string;
  /** Runs one statement of its own; gives the rows. */
  query(statement: WorkloadStatement): Promise<readonly Record<string, unknown>[]>;
  /** Runs a function in a transaction. */
  transaction<T>(run: (ask: Ask) => Promise<T>, session: string): Promise<T>;
  readonly prepare?: Subject["prepare"];
  readonly isUnknown?: Subject["isUnknown"];
  readonly observe?: Subject["observe"];
  /** Ends it with all its connections. */
  close(): Promise<void>;
}

/** Makes a subject of what can run statements and transactions: every call of the load, on the kit's own tables. */
export function sqlSubject(sql: SqlSubject): Subject {
  const { prepare, isUnknown, observe } = sql;
  const write = (text: string, values: readonly unknown[], session: string): Promise<unknown> =>
    sql.query({ text, values, access: "write", session });
  const read = (text: string, values: readonly unknown[], session: string): ReturnType<SqlSubject["query"]> =>
    sql.query({ text, values, access: "read", session });
  return {
    name: sql.name,
    ...(prepare === undefined ? {} : { prepare }),
    ...(isUnknown === undefined ? {} : { isUnknown }),
    ...(observe === undefined ? {} : { observe }),
    insert: (id, session) => write("INSERT INTO chaos_rows VALUES ($1)", [id], session),
    set: (register, value, session) =>
      write(
        "INSERT INTO chaos_registers VALUES ($1, $2) ON CONFLICT (register) DO UPDATE SET value = excluded.value",
        [register, value],
        session,
      ),
    async get(register, session) {
      const [row] = await read("SELECT value FROM chaos_registers WHERE register = $1", [register], session);
      return row === undefined ? null : String(row["value"]);
    },
    async sum(session) {
      const [row] = await read("SELECT sum(balance)::text AS sum FROM chaos_accounts", [], session);
      return Number(row?.["sum"]);
    },
    transfer: ({ id, from, to, amount }, session) =>
      sql.transaction(async (ask) => {
        // In the order of their names: two transfers never wait for each other in a circle.
        const moves = [[from, -amount] as const, [to, amount] as const].toSorted(([a], [b]) => (a < b ? -1 : 1));
        for (const [name, by] of moves) {
          await ask("UPDATE chaos_accounts SET balance = balance + $2 WHERE name = $1", [name, by]);
        }
        await ask("INSERT INTO chaos_transfers VALUES ($1)", [id]);
      }, session),
    lists: (steps, session) => sql.transaction((ask) => listSteps(ask, steps), session),
    close: () => sql.close(),
  };
}

async function listSteps(ask: Ask, steps: readonly ListStep[]): Promise<ListElement[][]> {
  const found: ListElement[][] = [];
  for (const step of steps) {
    if (step.do === "append") {
      await ask(
        `INSERT INTO chaos_lists AS l VALUES ($1, ARRAY[$2])
           ON CONFLICT (list) DO UPDATE SET elements = l.elements || excluded.elements`,
        [step.list, String(step.element)],
      );
    } else {
      const [row] = await ask<{ elements: string[] }>("SELECT elements FROM chaos_lists WHERE list = $1", [step.list]);
      found.push(row?.elements ?? []);
    }
  }
  return found;
}

/** What the kit's tables hold. */
export async function readFinalState(ask: Ask): Promise<FinalState> {
  const counted = async (table: string): Promise<Record<string, number>> => {
    const rows = await ask<{ id: string; copies: number }>(
      `SELECT id, count(*)::int AS copies FROM ${table} GROUP BY id`,
    );
    return Object.fromEntries(rows.map(({ id, copies }) => [id, copies]));
  };
  const balances = await ask<{ name: string; balance: string }>("SELECT name, balance::text FROM chaos_accounts");
  const lists = await ask<{ list: string; elements: string[] }>("SELECT list, elements FROM chaos_lists");
  const registers = await ask<{ register: string; value: string }>("SELECT register, value FROM chaos_registers");
  return {
    writes: await counted("chaos_rows"),
    transfers: await counted("chaos_transfers"),
    balances: Object.fromEntries(balances.map(({ name, balance }) => [name, Number(balance)])),
    lists: Object.fromEntries(lists.map(({ list, elements }) => [list, elements])),
    registers: Object.fromEntries(registers.map(({ register, value }) => [register, value])),
  };
}

/** How the latency of each kind of call is counted. */
export const accessOf: Readonly<Record<string, CallAccess>> = {
  write: "write",
  read: "read",
  sum: "read",
  transfer: "transaction",
  transaction: "transaction",
};
