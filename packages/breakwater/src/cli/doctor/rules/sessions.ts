/** Whether the server gets rid of what callers have left behind: statements, transactions, links. */
import { type Rule, settingRule } from "../rule.ts";

const zero = (value: string): boolean => Number(value) === 0;

/** Seconds of silence after which nobody should still wait to ask whether the other side is there. */
const QUIET_S = 600;

export const SESSIONS: readonly Rule[] = [
  settingRule({
    id: "client-connection-check-off",
    level: "warning",
    setting: "client_connection_check_interval",
    wrong: zero,
    wanted: "2s",
    why: "A statement whose caller is gone runs on to its end, holds its locks and its slot, and may write after its caller was told that it failed.",
  }),
  settingRule({
    id: "idle-in-transaction-timeout-off",
    level: "warning",
    setting: "idle_in_transaction_session_timeout",
    wrong: zero,
    wanted: "60s",
    why: "A process that hangs inside a transaction keeps its locks, and keeps vacuum from cleaning up, for ever.",
  }),
  settingRule({
    id: "statement-timeout-off",
    level: "note",
    setting: "statement_timeout",
    wrong: zero,
    wanted: "60s",
    why: "The layer bounds each call from outside; without a limit of the server's own, other programs can run statements without end.",
  }),
  settingRule({
    id: "lock-timeout-off",
    level: "note",
    setting: "lock_timeout",
    wrong: zero,
    wanted: "10s",
    why: "A change of the schema that waits for a lock stops everybody who comes after it, for as long as it waits.",
  }),
  settingRule({
    id: "idle-session-timeout-set",
    level: "note",
    setting: "idle_session_timeout",
    wrong: (value) => Number(value) > 0,
    wanted: "0",
    why: "The server ends idle connections of a pool, also those that a caller is just about to use; the pool's own idleTimeoutMs should be shorter.",
  }),
  settingRule({
    id: "tcp-keepalives-slow",
    level: "warning",
    setting: "tcp_keepalives_idle",
    // On a local socket there is nothing to keep alive, and the server says 0.
    wrong: (value, node) => Number(value) > QUIET_S && !node.host.startsWith("/"),
    wanted: "60s",
    why: "When a machine vanishes without a word, the server keeps the session, its locks and its slot for so long before it even asks.",
  }),
  settingRule({
    id: "tcp-user-timeout-off",
    level: "note",
    setting: "tcp_user_timeout",
    wrong: (value, node) => zero(value) && !node.host.startsWith("/"),
    wanted: "30s",
    why: "When a link breaks while an answer is being sent, the server waits for many minutes until the system gives up.",
  }),
  settingRule({
    id: "exit-on-error",
    level: "warning",
    setting: "exit_on_error",
    wrong: (value) => value === "on",
    wanted: "off",
    why: "Every error of a statement ends its session, so that the pool opens new connections all the time.",
  }),
  settingRule({
    id: "default-read-only",
    level: "error",
    setting: "default_transaction_read_only",
    on: "primary",
    wrong: (value) => value === "on",
    wanted: "off",
    why: "The primary refuses writes (25006), which looks as if it were a replica: writes wait for a primary that does not come.",
  }),
  settingRule({
    id: "serializable-on-replica",
    level: "error",
    setting: "default_transaction_isolation",
    on: "replica",
    wrong: (value) => value === "serializable",
    wanted: "read committed",
    why: "A replica refuses serializable transactions (0A000), so that reads sent there fail.",
  }),
];
