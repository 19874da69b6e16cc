/** Faults that are sessions: they take slots, hold locks, or keep a server busy. */
import { lineOf, onlyKnown, oneOf, refusal } from "../check.ts";
import type { ClusterNode } from "../cluster/node.ts";
import { until } from "../wait.ts";
import type { FaultHand } from "./active-fault.ts";
import { HeldSession } from "./held-session.ts";

/** Which connection slots are taken: all but so many. */
export interface FillSlotsOptions {
  /** Slots for ordinary users that stay free; from 0. @default 0 */
  readonly leave?: number;
  /**
   * Takes the slots that are reserved for superusers as well. Then nobody gets in any more, the kit's own statements neither:
   * they reject with 53300 until the fault is over. @default false
   */
  readonly reserved?: boolean;
}

/** What a table can be locked in. */
export const lockModes = [
  "ACCESS SHARE",
  "ROW SHARE",
  "ROW EXCLUSIVE",
  "SHARE UPDATE EXCLUSIVE",
  "SHARE",
  "SHARE ROW EXCLUSIVE",
  "EXCLUSIVE",
  "ACCESS EXCLUSIVE",
] as const;

/** What is locked: a table, or whatever a statement locks, such as `SELECT … FOR UPDATE`. */
export type HoldLockOptions =
  | {
      /** Name of the table, with its schema if need be, as in SQL. */
      readonly table: string;
      /** @default "ACCESS EXCLUSIVE" */
      readonly mode?: (typeof lockModes)[number];
    }
  | { readonly statement: string };

/** What runs for long, and how often at the same time. */
export interface LongStatementOptions {
  /** @default one that sleeps for a day */
  readonly statement?: string;
  /** How many sessions run it, 1 to 1000. @default 1 */
  readonly count?: number;
}

/** How many sessions are opened at the same time. */
const atOnce = 8;

export async function fillSlots(node: ClusterNode, leave: number, reserved: boolean): Promise<FaultHand> {
  const held: HeldSession[] = [];
  const off = (): void => {
    for (const session of held.splice(0)) session.end();
  };
  try {
    const first = await HeldSession.open(node, "breakwater-chaos fillSlots");
    held.push(first);
    for (let free = await freeSlots(first, reserved); free > leave; free = await freeSlots(first, reserved)) {
      const opened = await Promise.allSettled(
        Array.from({ length: Math.min(free - leave, atOnce) }, () =>
          HeldSession.open(node, "breakwater-chaos fillSlots"),
        ),
      );
      held.push(...opened.filter((one) => one.status === "fulfilled").map((one) => one.value));
      const refused = opened.find((one) => one.status === "rejected");
      // Others take slots as well: full is full.
      if (refused !== undefined && !isFull(refused.reason)) throw refused.reason;
      if (refused !== undefined) break;
    }
  } catch (error) {
    off();
    throw error;
  }
  return { hits: held.length, off };
}

export async function holdLock(node: ClusterNode, options: HoldLockOptions): Promise<FaultHand> {
  const text = lockText(options);
  const session = await HeldSession.open(node, "breakwater-chaos holdLock");
  try {
    await session.query("BEGIN");
    await session.query(text);
  } catch (error) {
    session.end();
    throw error;
  }
  return { hits: 1, off: () => session.end() };
}

export async function longStatement(node: ClusterNode, statement: string, count: number): Promise<FaultHand> {
  const held: HeldSession[] = [];
  const off = async (): Promise<void> => {
    const pids = held.map((session) => session.pid);
    for (const session of held.splice(0)) session.end();
    // A server does not look whether its client is still there while it runs a statement.
    if (node.state === "running")
      await node.query("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) pid", [pids]);
  };
  try {
    for (let number = 0; number < count; number++)
      held.push(await HeldSession.open(node, "breakwater-chaos longStatement"));
    let failed: unknown;
    for (const session of held) session.run(statement).catch((error: unknown) => (failed ??= error));
    const pids = held.map((session) => session.pid);
    await until(`${count} statements to run on ${node.name}`, async () => {
      if (failed !== undefined) return true;
      const running = "SELECT FROM pg_stat_activity WHERE pid = ANY($1::int[]) AND state = 'active'";
      return (await node.query(running, [pids])).length === count;
    });
    if (failed !== undefined) throw failed;
  } catch (error) {
    await off();
    throw error;
  }
  return { hits: count, off };
}

/** Slots that are left, without those for superusers unless `reserved`. */
async function freeSlots(session: HeldSession, reserved: boolean): Promise<number> {
  // reserved_connections came with PostgreSQL 16.
  const [row] = await session.query<{ free: number; kept: number }>(
    `SELECT current_setting('max_connections')::int - (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS free,
      current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true), '0')::int AS kept`,
  );
  return row === undefined ? 0 : row.free - (reserved ? 0 : row.kept);
}

function isFull(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "53300";
}

function lockText(options: HoldLockOptions): string {
  onlyKnown("holdLock", options, ["table", "mode", "statement"]);
  if ("statement" in options) return lineOf("statement", options.statement);
  const { table, mode = "ACCESS EXCLUSIVE" } = options;
  if (typeof table !== "string" || table === "") throw refusal("table", table, "the name of a table");
  return `LOCK TABLE ${lineOf("table", table)} IN ${oneOf("mode", mode, lockModes)} MODE`;
}
