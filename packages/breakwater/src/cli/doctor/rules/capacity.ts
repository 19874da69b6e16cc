/** Whether there are enough connections for the pools, and what else is used up. */
import { identifier, literal, setTo } from "../change.ts";
import type { Node, Plan } from "../facts.ts";
import { bytes, nodeRule, numberOf, type Rule, settingRule, span } from "../rule.ts";

/** Share of the connections from which on it is tight. */
const TIGHT = 0.8;
const LONG_TRANSACTION_S = 600;
const LONG_IDLE_S = 60;
/** From which age on a transaction that was prepared has been forgotten, not just been prepared. */
const FORGOTTEN_S = 60;
/** At 2^31 the server stops taking writes (documentation, "Preventing Transaction ID Wraparound Failures"). */
const LIMIT_OF_AGE = 2 ** 31;
const OLD = 1_000_000_000;
const VERY_OLD = 1_600_000_000;

export const CAPACITY: readonly Rule[] = [
  nodeRule({
    id: "pool-too-large",
    level: "error",
    why: "The pools may ask for more connections than the server has: calls fail with 53300 when load is highest.",
    find(node, { plan }) {
      const { most, reserved, free } = slotsOf(node);
      const need = needOf(plan);
      // A pooler's connections to the server are not ours to count.
      if (node.pooled || most === undefined || need <= free) return undefined;
      const fits = Math.max(1, Math.floor(free / plan.processes) - 1);
      return {
        seen:
          `pool size ${plan.poolSize} and a probe's connection, × ${plan.processes} processes = ${need}; ` +
          `max_connections = ${most}, ${reserved} of them reserved`,
        change: `breakwater({ pool: { max: ${fits} } }), or ${setTo(node, "max_connections", String(need + reserved + 10))}`,
      };
    },
  }),
  nodeRule({
    id: "connection-limit",
    level: "error",
    each: "link",
    why: "The role, or its database, may have fewer connections than the pools ask for: calls fail with 53300 when load is highest.",
    find(node, { plan }) {
      const need = needOf(plan);
      const { limit = -1, databaseLimit = -1, superuser } = node.role ?? {};
      if (node.pooled || superuser === true) return undefined;
      if (limit >= 0 && limit < need)
        return {
          seen: `role ${node.user}: CONNECTION LIMIT ${limit}; the pools may ask for ${need}`,
          change: `ALTER ROLE ${identifier(node.user)} CONNECTION LIMIT ${need};`,
        };
      if (databaseLimit >= 0 && databaseLimit < need)
        return {
          seen: `database ${node.database}: CONNECTION LIMIT ${databaseLimit}; the pools may ask for ${need}`,
          change: `ALTER DATABASE ${identifier(node.database)} CONNECTION LIMIT ${need};`,
        };
      return undefined;
    },
  }),
  nodeRule({
    id: "connections-nearly-used-up",
    level: "warning",
    why: "Little is left for a burst, or for the pools of a new version that starts beside the old one.",
    find(node) {
      const { most, free } = slotsOf(node);
      const used = node.activity?.connections ?? 0;
      if (most === undefined || used < free * TIGHT) return undefined;
      return {
        seen: `${used} connections are open, of ${free} that there may be (max_connections = ${most})`,
        change: `smaller pools, a pooler, or ${setTo(node, "max_connections", String(most * 2))}`,
      };
    },
  }),
  settingRule({
    id: "superuser-reserve-none",
    level: "warning",
    setting: "superuser_reserved_connections",
    wrong: (value) => Number(value) === 0,
    wanted: "3",
    why: "When all connections are taken, nobody can look, or end one.",
  }),
  nodeRule({
    id: "long-transaction",
    level: "warning",
    why: "While it is open, nothing that was deleted since can be cleaned up: tables grow, and everything gets slower.",
    find({ activity }) {
      const { oldestTransactionSeconds: seconds = 0, oldestTransactionPid: pid } = activity ?? {};
      if (seconds < LONG_TRANSACTION_S) return undefined;
      return {
        seen: `a transaction is open for ${span(seconds)} (process ${pid})`,
        change: `SELECT pg_terminate_backend(${pid}); if nobody needs it`,
      };
    },
  }),
  nodeRule({
    id: "idle-in-transaction",
    level: "warning",
    why: "Somebody has begun a transaction and left it: it holds its locks, and keeps vacuum from cleaning up.",
    find({ activity }) {
      const { idleInTransactionSeconds: seconds = 0, idleInTransactionPid: pid } = activity ?? {};
      if (seconds < LONG_IDLE_S) return undefined;
      return {
        seen: `idle in transaction for ${span(seconds)} (process ${pid})`,
        change: `SELECT pg_terminate_backend(${pid}); and idle_in_transaction_session_timeout, so that it does not come again`,
      };
    },
  }),
  nodeRule({
    id: "prepared-transactions-left",
    level: "warning",
    why: "A prepared transaction that nobody ends holds its locks through every restart, and keeps vacuum from cleaning up.",
    find({ prepared }) {
      if (prepared === undefined || prepared.count === 0) return undefined;
      return {
        seen: `${prepared.count} in pg_prepared_xacts, the oldest for ${span(prepared.oldestSeconds)}`,
        level: prepared.oldestSeconds < FORGOTTEN_S ? "note" : "warning",
        change: `ROLLBACK PREPARED ${literal(prepared.gid)}; or COMMIT PREPARED, as its coordinator decided`,
      };
    },
  }),
  nodeRule({
    id: "wraparound-near",
    level: "warning",
    why: "At 2^31 transactions without a vacuum the server takes no more writes.",
    find({ age }) {
      const oldest = Math.max(age?.transactions ?? 0, age?.multixacts ?? 0);
      if (age === undefined || oldest < OLD) return undefined;
      return {
        seen: `database ${age.database} is ${oldest} transactions old, ${Math.round((oldest / LIMIT_OF_AGE) * 100)} % of the limit`,
        level: oldest >= VERY_OLD ? "error" : "warning",
        change: `VACUUM (FREEZE); in database ${identifier(age.database)}, and end what holds it back: old transactions, prepared ones, slots`,
      };
    },
  }),
  settingRule({
    id: "autovacuum-off",
    level: "warning",
    setting: "autovacuum",
    wrong: (value) => value === "off",
    wanted: "on",
    why: "Nobody cleans up: tables grow, plans get worse, and in the end the server stops taking writes.",
  }),
  nodeRule({
    id: "slot-inactive",
    level: "warning",
    why: "The server keeps all WAL since its reader left, until the disk is full and the server stops.",
    find(node) {
      const inactive = (node.slots ?? []).filter(({ active }) => !active);
      const [first] = inactive;
      if (first === undefined) return undefined;
      const lost = inactive.some(({ walStatus }) => walStatus === "lost");
      const kept = Math.max(...inactive.map(({ retainedBytes = 0 }) => retainedBytes));
      const unbounded = numberOf(node, "max_slot_wal_keep_size") === -1 ? ", max_slot_wal_keep_size = -1" : "";
      return {
        seen: `${inactive.map(({ name }) => name).join(", ")}: ${lost ? "lost its WAL" : `keeps ${bytes(kept)}`}${unbounded}`,
        change: `connect its reader, or SELECT pg_drop_replication_slot(${literal(first.name)});`,
      };
    },
  }),
  nodeRule({
    id: "archiving-fails",
    level: "warning",
    why: "The server keeps all WAL until it has been archived: the disk fills up, and there is no backup to a point in time.",
    find({ archiver }) {
      if (archiver?.failing !== true) return undefined;
      return {
        seen: `pg_stat_archiver: ${archiver.failed} failures, the last after the last success`,
        change: "look at the server's log, and mend archive_command",
      };
    },
  }),
];

/** Every pool has one connection more for its probe. */
function needOf({ poolSize, processes }: Plan): number {
  return (poolSize + 1) * processes;
}

function slotsOf(node: Node): { readonly most: number | undefined; readonly reserved: number; readonly free: number } {
  const most = numberOf(node, "max_connections");
  const reserved =
    (numberOf(node, "superuser_reserved_connections") ?? 0) + (numberOf(node, "reserved_connections") ?? 0);
  return { most, reserved, free: (most ?? 0) - reserved };
}
