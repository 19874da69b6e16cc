/** Whether replicas follow, and can be read. */
import { setTo } from "../change.ts";
import type { Node } from "../facts.ts";
import { bytes, nodeRule, numberOf, type Rule, settingRule } from "../rule.ts";

/** Where a standby has less of these than its primary, it stops replaying, or does not start (documentation, "Hot Standby"). */
const NOT_LESS: readonly string[] = [
  "max_connections",
  "max_worker_processes",
  "max_wal_senders",
  "max_prepared_transactions",
  "max_locks_per_transaction",
];

export const REPLICAS: readonly Rule[] = [
  nodeRule({
    id: "replica-not-streaming",
    level: "error",
    why: "The replica receives nothing: what it shows grows older, and it cannot take over without losing writes.",
    find({ replay }) {
      if (replay === undefined || (replay.receiving && (replay.status ?? "streaming") === "streaming"))
        return undefined;
      return {
        seen: replay.receiving ? `WAL receiver: ${replay.status}` : "no WAL receiver runs",
        change:
          "look at the replica's log; set primary_conninfo to the present primary and run SELECT pg_reload_conf();, " +
          "or copy the replica again when the primary no longer has the WAL it needs",
      };
    },
  }),
  nodeRule({
    id: "replay-paused",
    level: "error",
    why: "The replica receives, but shows nothing new: reads of a session cannot be served there.",
    find: ({ replay }) =>
      replay?.paused === true
        ? { seen: "pg_is_wal_replay_paused() = true", change: "SELECT pg_wal_replay_resume();" }
        : undefined,
  }),
  nodeRule({
    id: "replica-lagging",
    level: "warning",
    why: "Reads that must see a recent write go to the primary instead, or wait.",
    find({ lag, replay }, { plan }) {
      // Those two are told by rules of their own.
      if (lag === undefined || lag.bytes === 0n || replay?.paused === true || replay?.receiving === false)
        return undefined;
      const watched = lag.waitedMs < plan.maxLagMs ? "" : ` after ${lag.waitedMs} ms`;
      return {
        seen: `${bytes(lag.bytes)} behind the primary${watched}`,
        change:
          "look for long queries there (they hold replay back up to max_standby_streaming_delay), a slow disk or a slow " +
          "network; breakwater's router: { maxLag: { ms } } keeps reads off while it lasts",
      };
    },
  }),
  settingRule({
    id: "replay-delayed",
    level: "warning",
    setting: "recovery_min_apply_delay",
    on: "replica",
    wrong: (value) => Number(value) > 0,
    wanted: "0",
    why: "The replica is behind on purpose: as a source of reads it never has what a session has just written.",
  }),
  settingRule({
    id: "timeline-not-latest",
    level: "error",
    setting: "recovery_target_timeline",
    on: "replica",
    wrong: (value) => value !== "latest",
    wanted: "latest",
    why: "The replica does not follow a newly promoted primary.",
  }),
  settingRule({
    id: "standby-delay-zero",
    level: "warning",
    setting: "max_standby_streaming_delay",
    on: "replica",
    wrong: (value) => Number(value) === 0,
    wanted: "30s",
    why: "Every read that is in the way of replay is cancelled at once (40001, conflict with recovery).",
  }),
  settingRule({
    id: "standby-delay-unbounded",
    level: "warning",
    setting: "max_standby_streaming_delay",
    on: "replica",
    wrong: (value) => Number(value) < 0,
    wanted: "30s",
    why: "One long read holds replay back for as long as it runs: all other reads there grow stale.",
  }),
  nodeRule({
    id: "hot-standby-feedback-off",
    level: "note",
    why: "The primary cleans up rows that reads on the replica still need, and these are then cancelled; on, the primary keeps them, and grows.",
    find(node) {
      if (node.state.role !== "replica" || node.settings.get("hot_standby_feedback")?.value !== "off") return undefined;
      const seen = node.conflicts === undefined ? "" : `; ${node.conflicts} reads cancelled so far`;
      return {
        seen: `hot_standby_feedback = off${seen}`,
        level: (node.conflicts ?? 0) > 0 ? "warning" : "note",
        change: setTo(node, "hot_standby_feedback", "on"),
      };
    },
  }),
  settingRule({
    id: "hot-standby-off",
    level: "warning",
    setting: "hot_standby",
    wrong: (value) => value === "off",
    wanted: "on",
    why: "As a replica the server would take no connections at all: neither reads nor the router's probes.",
  }),
  nodeRule({
    id: "replica-settings-smaller",
    level: "warning",
    why: "A replica with less than its primary stops replaying, or does not come up again after a restart.",
    find(node, { primaries: [primary] }) {
      if (primary === undefined || node.state.role !== "replica" || node.state.systemId !== primary.state.systemId)
        return undefined;
      const less = NOT_LESS.flatMap((setting) => {
        const [here, there] = [numberOf(node, setting), numberOf(primary, setting)];
        return here !== undefined && there !== undefined && here < there ? [{ setting, here, there }] : [];
      });
      if (less.length === 0) return undefined;
      return {
        seen: less.map(({ setting, here, there }) => `${setting} = ${here}, primary ${there}`).join("; "),
        change: less.map(({ setting, there }) => setTo(node, setting, String(there))).join(" "),
      };
    },
  }),
  settingRule({
    id: "wal-level-minimal",
    level: "error",
    setting: "wal_level",
    wrong: (value) => value === "minimal",
    wanted: "replica",
    why: "No replica can follow this server, and no backup of it can be made while it runs.",
  }),
  settingRule({
    id: "wal-senders-none",
    level: "error",
    setting: "max_wal_senders",
    wrong: (value) => Number(value) === 0,
    wanted: "10",
    why: "No replica can connect to this server.",
  }),
  nodeRule({
    id: "wal-senders-used-up",
    level: "warning",
    why: "No further replica or backup can connect, nor may one come back whose old connection has not ended yet.",
    find(node) {
      const most = numberOf(node, "max_wal_senders") ?? 0;
      const used = node.senders?.length ?? 0;
      if (most === 0 || used < most) return undefined;
      return {
        seen: `${used} of max_wal_senders = ${most} are in use`,
        change: setTo(node, "max_wal_senders", String(most + 5)),
      };
    },
  }),
  settingRule({
    id: "wal-sender-timeout-off",
    level: "warning",
    setting: "wal_sender_timeout",
    wrong: (value) => Number(value) === 0,
    wanted: "60s",
    why: "The server does not notice that a replica is gone, and a COMMIT may wait for it.",
  }),
  settingRule({
    id: "wal-receiver-timeout-off",
    level: "warning",
    setting: "wal_receiver_timeout",
    wrong: (value) => Number(value) === 0,
    wanted: "60s",
    why: "A replica whose primary vanishes without a word waits for it for ever, and does not connect again.",
  }),
  nodeRule({
    id: "replica-without-slot",
    level: "note",
    why: "A replica that is away for a while must be copied again when the primary has removed the WAL it needs.",
    find(node) {
      const keep = numberOf(node, "wal_keep_size");
      if (node.state.role !== "primary" || keep !== 0 || slotless(node) === 0) return undefined;
      return {
        seen: `wal_keep_size = 0, ${node.senders?.length ?? 0} replicas, ${activeSlots(node)} of them by a slot`,
        change: setTo(node, "wal_keep_size", "1GB"),
      };
    },
  }),
];

function activeSlots(node: Node): number {
  return (node.slots ?? []).filter(({ active }) => active).length;
}

function slotless(node: Node): number {
  return Math.max(0, (node.senders?.length ?? 0) - activeSlots(node));
}
