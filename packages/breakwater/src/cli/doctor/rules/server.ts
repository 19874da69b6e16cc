/** The server itself: its version, its clock, its file of settings. */
import { nodeRule, type Rule, settingRule } from "../rule.ts";

/** The oldest version that the layer's questions are made for. */
const OLDEST = 13;
/** When the project ends each version (postgresql.org, "Versioning Policy"). */
const ENDS: Readonly<Record<number, string>> = {
  13: "2025-11-13",
  14: "2026-11-12",
  15: "2027-11-11",
  16: "2028-11-09",
  17: "2029-11-08",
  18: "2030-11-14",
};
/** Difference of two clocks from which on it is told, in milliseconds. */
const CLOCK_MS = 2_000;

export const SERVER: readonly Rule[] = [
  nodeRule({
    id: "version-unsupported",
    level: "error",
    why: "The layer's questions about roles and outcomes need PostgreSQL 13.",
    find: ({ version, versionText }) =>
      version >= OLDEST * 10_000
        ? undefined
        : { seen: `PostgreSQL ${versionText}`, change: "upgrade to a version that is supported" },
  }),
  nodeRule({
    id: "version-ended",
    level: "warning",
    why: "What is found to be wrong with this version, security included, is not mended any more.",
    find({ version, versionText }, { nowMs }) {
      const end = ENDS[Math.floor(version / 10_000)];
      if (end === undefined || nowMs < Date.parse(end)) return undefined;
      return { seen: `PostgreSQL ${versionText}, ended on ${end}`, change: "upgrade to a version that is supported" };
    },
  }),
  nodeRule({
    id: "clock-differs",
    level: "warning",
    why: "Times in logs and rows cannot be compared, and a lag told in time is wrong by as much.",
    find({ clock: { aheadMs, exactMs } }) {
      if (Math.abs(aheadMs) - exactMs < CLOCK_MS) return undefined;
      return {
        seen: `the server's clock is ${Math.abs(aheadMs / 1_000).toFixed(1)} s ${aheadMs > 0 ? "ahead of" : "behind"} the one here`,
        change: "run a time service (chrony, systemd-timesyncd) on both machines",
      };
    },
  }),
  nodeRule({
    id: "restart-pending",
    level: "warning",
    why: "The server runs with other settings than its file has: the next restart, or crash, changes how it behaves.",
    find({ settings }) {
      const names = [...settings.values()].filter(({ pendingRestart }) => pendingRestart).map(({ name }) => name);
      return names.length === 0
        ? undefined
        : { seen: `waiting for a restart: ${names.join(", ")}`, change: "restart the server, or take the change back" };
    },
  }),
  settingRule({
    id: "restart-after-crash-off",
    level: "note",
    setting: "restart_after_crash",
    wrong: (value) => value === "off",
    wanted: "on",
    why: "After the crash of one process the server stays down until somebody starts it, which is right only under a cluster manager.",
  }),
];
