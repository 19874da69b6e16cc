/** The calls that a workload is made of, each recorded as what it means. */
import type { CallOptions, Database, Random } from "@breakwater/core";
import type { HistorySession } from "../history/session.ts";
import { below } from "./dice.ts";
import { SimulatedError } from "./dialect.ts";

/** Whoever makes a call: a session of a process, in one window of the history. */
export interface Caller {
  readonly database: Database;
  readonly history: HistorySession;
  readonly random: Random;
  /** Begins the names of everything in this window. */
  readonly prefix: string;
  /** A name that no other call has. */
  readonly id: string;
  /** Rows that were written before in this window. */
  readonly rows: string[];
  readonly options: CallOptions;
}

type Make = (caller: Caller) => Promise<unknown>;

const REGISTERS = 12;
const COUNTERS = 4;
const LISTS = 6;

function name(kind: string, { prefix, random }: Caller, count: number): string {
  return `${prefix}${kind}${below(random, count)}`;
}

/** Kinds of calls. */
export type CallKind =
  | "get"
  | "find"
  | "insert"
  | "insert-once"
  | "insert-in-transaction"
  | "insert-and-fail"
  | "set"
  | "add"
  | "count"
  | "append"
  | "list";

const MAKE: Readonly<Record<CallKind, Make>> = {
  /** Reads a register. */
  get: (caller) => {
    const key = name("r", caller, REGISTERS);
    return caller.history.read(key, async () => {
      const { rows } = await caller.database.query<{ readonly value: string | null }>("get $1", [key], caller.options);
      return rows[0]?.value ?? null;
    });
  },
  /** Looks for a row that was written before. */
  find: (caller) => {
    const { rows: written, random, prefix } = caller;
    // The newest are looked for most: they are what a reader may miss.
    const back = Math.floor(random() ** 3 * Math.min(written.length, 50));
    const id = written[written.length - 1 - back] ?? `${prefix}none`;
    return caller.history.read(id, async () => {
      const { rows } = await caller.database.query<{ readonly copies: number }>("copies $1", [id], caller.options);
      return (rows[0]?.copies ?? 0) > 0 ? id : null;
    });
  },
  insert: (caller) => insert(caller, () => caller.database.query("insert $1", [caller.id], caller.options)),
  /** A write on its own that is to be done exactly once, where the stack can do that. */
  "insert-once": (caller) => {
    const resolves = caller.database.pool.layers.some((layer) => layer.name === "commit-resolution");
    const options = resolves ? { ...caller.options, exactlyOnce: true } : caller.options;
    return insert(caller, () => caller.database.query("insert $1", [caller.id], options));
  },
  "insert-in-transaction": (caller) =>
    insert(caller, () =>
      caller.database.transaction(async (transaction) => {
        await transaction.query("insert $1", [caller.id]);
        await transaction.query("get $1", [`${caller.prefix}r0`]);
      }, caller.options),
    ),
  /** One of its statements fails and its function goes on: such a transaction is never kept. */
  "insert-and-fail": (caller) =>
    insert(caller, () =>
      caller.database.transaction(async (transaction) => {
        await transaction.query("insert $1", [caller.id]);
        await transaction.query("fail 22012").catch((error: unknown) => {
          if (!(error instanceof SimulatedError)) throw error;
        });
      }, caller.options),
    ),
  set: (caller) => {
    const key = name("r", caller, REGISTERS);
    return caller.history.set(key, caller.id, () =>
      caller.database.query("set $1 $2", [key, caller.id], caller.options),
    );
  },
  add: (caller) => {
    const key = name("c", caller, COUNTERS);
    return caller.history.increment(key, 1, () => caller.database.query("add $1 $2", [key, 1], caller.options));
  },
  count: (caller) => {
    const key = name("c", caller, COUNTERS);
    return caller.history.count(key, async () => {
      const { rows } = await caller.database.query<{ readonly count: number }>("count $1", [key], caller.options);
      return rows[0]?.count ?? 0;
    });
  },
  /** Reads a list and appends to it. */
  append: (caller) => {
    const list = name("l", caller, LISTS);
    const steps = [{ do: "read", list } as const, { do: "append", list, element: caller.id } as const];
    return caller.history.transaction(steps, () =>
      caller.database.transaction(
        async (transaction) => {
          const { rows } = await transaction.query<ListRow>("list $1", [list]);
          await transaction.query("append $1 $2", [list, caller.id]);
          return [rows[0]?.elements ?? []];
        },
        { ...caller.options, isolation: "serializable" },
      ),
    );
  },
  list: (caller) => {
    const list = name("l", caller, LISTS);
    return caller.history.transaction([{ do: "read", list }], async () => {
      const { rows } = await caller.database.query<ListRow>("list $1", [list], caller.options);
      return [rows[0]?.elements ?? []];
    });
  },
};

interface ListRow {
  readonly elements: readonly string[];
}

function insert(caller: Caller, call: () => Promise<unknown>): Promise<unknown> {
  caller.rows.push(caller.id);
  return caller.history.write(caller.id, call);
}

/** Every kind of call. */
export const CALL_KINDS: readonly CallKind[] = Object.keys(MAKE) as CallKind[];

/** Makes one call. */
export function makeCall(kind: CallKind, caller: Caller): Promise<unknown> {
  return MAKE[kind](caller);
}

/** Every name that calls of a window use besides their own ids. */
export function namesOf(prefix: string): { registers: string[]; counters: string[]; lists: string[] } {
  const of = (kind: string, count: number): string[] =>
    Array.from({ length: count }, (_, at) => `${prefix}${kind}${at}`);
  return { registers: of("r", REGISTERS), counters: of("c", COUNTERS), lists: of("l", LISTS) };
}
