/**
 * What became of every write: what the callers were told, held against what the database holds.
 */
import type { ClusterNode } from "@breakwater/chaos";
import { percentile } from "./numbers.ts";
import type { Record, Told, Totals } from "./record.ts";
import { ACCOUNTS, OPENING_BALANCE, type Side } from "./schema.ts";

export interface Verdict extends Totals {
  /** Calls that nobody answered within the limit; their outcome is as unknown as can be. */
  readonly unanswered: number;
  /** Writes of unknown outcome that the database kept. */
  readonly unknownKept: number;
  /** Acknowledged writes that are not in the database. */
  readonly lost: number;
  /** Writes that are in the database more than once. */
  readonly doubled: number;
  /** Writes that were reported failed and are in the database. */
  readonly wrong: number;
  /** Rows that belong to no call; there can be none. */
  readonly strange: number;
  readonly sumExpected: number;
  readonly sumFound: number;
  /** Accounts whose balance is not what the rows in the table of transfers make of it: half a transaction was kept. */
  readonly torn: number;
  /** Longest time without a successful call, and without a successful write. */
  readonly longestStallMs: number;
  readonly longestWriteStallMs: number;
  readonly p50: number | undefined;
  readonly p99: number | undefined;
}

/** Counts one side's tables on the primary. Nothing may be writing to them any more. */
export async function judge(primary: ClusterNode, side: Side, record: Record): Promise<Verdict> {
  const orders = compare(record.orders, await copies(primary, `${side}.orders`));
  const transfers = compare(record.transfers, await copies(primary, `${side}.transfers`));
  const [sum] = await primary.query<{ found: string }>(`SELECT sum(balance)::text AS found FROM ${side}.accounts`);
  const [torn] = await primary.query<{ count: number }>(`
    SELECT count(*)::int AS count FROM ${side}.accounts AS account WHERE balance <> ${OPENING_BALANCE}
      + (SELECT coalesce(sum(amount), 0) FROM ${side}.transfers WHERE target = account.id)
      - (SELECT coalesce(sum(amount), 0) FROM ${side}.transfers WHERE source = account.id)`);
  const latencies = record.seconds.flatMap((second) => second.latencies);
  return {
    ...record.totals,
    unanswered: record.pending,
    unknownKept: orders.unknownKept + transfers.unknownKept,
    lost: orders.lost + transfers.lost,
    doubled: orders.doubled + transfers.doubled,
    wrong: orders.wrong + transfers.wrong,
    strange: orders.strange + transfers.strange,
    sumExpected: ACCOUNTS * OPENING_BALANCE,
    sumFound: Number(sum?.found),
    torn: torn?.count ?? 0,
    longestStallMs: record.stall.longestMs,
    longestWriteStallMs: record.writeStall.longestMs,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
  };
}

/** Whether a side did what the demo promises of the right one. */
export function keptPromise(verdict: Verdict): boolean {
  const { lost, doubled, wrong, strange, torn, failedReads, sumExpected, sumFound } = verdict;
  return lost + doubled + wrong + strange + torn + failedReads === 0 && sumExpected === sumFound;
}

/** How many rows there are for each id. */
async function copies(primary: ClusterNode, table: string): Promise<ReadonlyMap<string, number>> {
  const rows = await primary.query<{ id: string; count: number }>(
    `SELECT id, count(*)::int AS count FROM ${table} GROUP BY id`,
  );
  return new Map(rows.map(({ id, count }) => [id, count]));
}

type Comparison = Pick<Verdict, "unknownKept" | "lost" | "doubled" | "wrong" | "strange">;

function compare(told: ReadonlyMap<string, Told>, found: ReadonlyMap<string, number>): Comparison {
  const count = (fits: (told: Told, copies: number) => boolean): number =>
    [...told].filter(([id, answer]) => fits(answer, found.get(id) ?? 0)).length;
  return {
    unknownKept: count((answer, kept) => (answer === "unknown" || answer === "pending") && kept > 0),
    lost: count((answer, kept) => answer === "ok" && kept === 0),
    doubled: count((_, kept) => kept > 1),
    wrong: count((answer, kept) => answer === "failed" && kept > 0),
    strange: [...found.keys()].filter((id) => !told.has(id)).length,
  };
}
