/** Whether what is acknowledged is kept, on this server and on others. */
import { setTo } from "../change.ts";
import type { Node } from "../facts.ts";
import { nodeRule, type Rule, settingRule, shown } from "../rule.ts";
import { matching, required } from "./standbys.ts";

const off = (value: string): boolean => value === "off";
const on = (value: string): boolean => value === "on";

/** Levels of `synchronous_commit` at which nobody waits until a standby has written the commit to its disk. */
const WEAK: readonly string[] = ["local", "remote_write"];

export const DURABILITY: readonly Rule[] = [
  settingRule({
    id: "fsync-off",
    level: "error",
    setting: "fsync",
    wrong: off,
    wanted: "on",
    why: "After a crash of the machine the data may be corrupt, and commits that were acknowledged may be gone.",
  }),
  settingRule({
    id: "full-page-writes-off",
    level: "error",
    setting: "full_page_writes",
    wrong: off,
    wanted: "on",
    why: "A page that was half written when the machine crashed cannot be repaired.",
  }),
  settingRule({
    id: "damage-ignored",
    level: "error",
    setting: "zero_damaged_pages",
    wrong: on,
    wanted: "off",
    why: "Damaged pages are emptied without an error, so that rows vanish.",
  }),
  settingRule({
    id: "checksum-failures-ignored",
    level: "error",
    setting: "ignore_checksum_failure",
    wrong: on,
    wanted: "off",
    why: "Damaged pages are read as if they were sound.",
  }),
  settingRule({
    id: "synchronous-commit-off",
    level: "error",
    setting: "synchronous_commit",
    wrong: off,
    wanted: "on",
    why: "COMMIT is answered before it is on disk: a crash takes acknowledged writes back, and no layer can see that.",
  }),
  nodeRule({
    id: "synchronous-commit-weak",
    level: "warning",
    why: "Synchronous standbys are named, but COMMIT does not wait until one has the write on its disk: a failover can lose it.",
    find(node) {
      const setting = node.settings.get("synchronous_commit");
      if (setting === undefined || !WEAK.includes(setting.value) || !namesStandbys(node)) return undefined;
      return {
        seen: `${shown(setting)}, ${names(node)}`,
        change: setTo(node, "synchronous_commit", "on"),
      };
    },
  }),
  nodeRule({
    id: "synchronous-standbys-missing",
    level: "error",
    why: "COMMIT waits for a standby that is not connected: every write hangs until one is.",
    find(node) {
      if (node.state.role !== "primary" || !namesStandbys(node) || node.senders === undefined) return undefined;
      const need = required(valueOf(node));
      const have = matching(valueOf(node), node.senders);
      if (have >= need) return undefined;
      const connected = node.senders.map(({ application }) => application).join(", ");
      const free = node.senders.map(({ application }) => `"${application}"`).join(", ");
      return {
        seen: `${names(node)}: needs ${need}, has ${have}; connected: ${connected === "" ? "none" : connected}`,
        change:
          node.senders.length >= need
            ? `${setTo(node, STANDBYS, `ANY ${need} (${free})`)} or connect the standbys under the names that are there (application_name in primary_conninfo)`
            : `start the standbys, or, to go on without: ${setTo(node, STANDBYS, "")}`,
      };
    },
  }),
  nodeRule({
    id: "synchronous-standbys-exact",
    level: "note",
    why: "When one of them is lost, every write hangs until it is back.",
    find(node) {
      if (node.state.role !== "primary" || !namesStandbys(node) || node.senders === undefined) return undefined;
      const need = required(valueOf(node));
      if (matching(valueOf(node), node.senders) !== need) return undefined;
      return { seen: `${names(node)}: needs ${need}, has ${need}`, change: "add a standby, and name it there, too" };
    },
  }),
  nodeRule({
    id: "asynchronous-replication",
    level: "note",
    why: "A failover can lose writes that were acknowledged just before it; no layer in front of the server can prevent that.",
    find(node, { replicas }) {
      const followers = node.senders ?? [];
      const hasReplica = replicas.length > 0 || followers.length > 0;
      if (node.state.role !== "primary" || namesStandbys(node) || !hasReplica) return undefined;
      const named = [...new Set(followers.map(({ application }) => `"${application}"`))].join(", ");
      return {
        seen: `${STANDBYS} = ''`,
        change: setTo(node, STANDBYS, named === "" ? "ANY 1 (*)" : `ANY 1 (${named})`),
      };
    },
  }),
  nodeRule({
    id: "rewind-impossible",
    level: "note",
    why: "A primary that was replaced cannot be brought back by pg_rewind; it has to be copied as a whole.",
    find(node) {
      const hints = node.settings.get("wal_log_hints");
      if (hints?.value !== "off" || node.settings.get("data_checksums")?.value !== "off") return undefined;
      return { seen: "wal_log_hints = off, data_checksums = off", change: setTo(node, "wal_log_hints", "on") };
    },
  }),
];

const STANDBYS = "synchronous_standby_names";

function valueOf(node: Node): string {
  return node.settings.get(STANDBYS)?.value ?? "";
}

function namesStandbys(node: Node): boolean {
  return required(valueOf(node)) > 0;
}

function names(node: Node): string {
  return `${STANDBYS} = ${valueOf(node)}`;
}
