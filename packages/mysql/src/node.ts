/**
 * Asks a node for its role and its place in the history, in one round trip, as any account.
 *
 * A node is a replica when it is read only or replicates; a writable server that replicates nothing is a primary.
 */
import type { Connection, NodeState } from "@breakwater/core";
import { countOf, type GtidPlace, placeOf } from "./gtid.ts";

/** A question, and what its answer says. */
interface Question {
  readonly text: string;
  state(row: Readonly<Record<string, unknown>>): NodeState;
}

/**
 * `gtid_binlog_state` runs ahead on a replica: a transaction is in its log before it can be seen. What has been applied, and
 * can be seen, is in `gtid_slave_pos`. On a primary what has been acknowledged is in its log.
 */
const MARIADB: Question = {
  text: `SELECT @@global.read_only AS readonly, @@global.gtid_binlog_pos AS written, @@global.gtid_slave_pos AS applied,
    @@global.gtid_binlog_state AS writers, @@global.server_id AS own,
    (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'SLAVE_RUNNING') AS replicates`,
  state({ readonly, written, applied, writers, own, replicates }) {
    const replica = isOn(readonly) || replicates === "ON";
    return stateOf(replica, replica ? placeOf(applied, writers) : placeOf(written, writers, own));
  },
};

/** As 3 of MySQL's own, of which it cannot be told who writes: its history never ends, and nobody is told to be behind it. */
const MYSQL: Question = {
  text: "SELECT @@global.read_only AS readonly, @@global.super_read_only AS strictly, @@global.gtid_executed AS executed",
  state({ readonly, strictly, executed }) {
    const position = countOf(executed);
    const place = position === undefined || position === 0n ? undefined : { timeline: 0, position };
    return stateOf(isOn(readonly) || isOn(strictly), place);
  },
};

const LEAST: Question = {
  text: "SELECT @@global.read_only AS readonly",
  state: ({ readonly }) => stateOf(isOn(readonly), undefined),
};

const QUESTIONS: readonly [Question, ...Question[]] = [MARIADB, MYSQL, LEAST];

/**
 * Unknown variable, table or column, and not allowed: what another question gets around. 1146, 1054, 1109, 1193, 1142,
 * 1143, 1227, 3167.
 */
const OTHER: ReadonlySet<unknown> = new Set([1146, 1054, 1109, 1193, 1142, 1143, 1227, 3167]);

/** Which question each driver's connection was found to be answered, so that the next probe takes one round trip again. */
const asked = new WeakMap<object, number>();

/**
 * The node's role and place. What it does not tell is undefined.
 * @throws the driver's error when the node does not answer.
 */
export async function probe(connection: Connection): Promise<NodeState> {
  const key = typeof connection.driver === "object" && connection.driver !== null ? connection.driver : connection;
  for (let at = asked.get(key) ?? 0; ; at += 1) {
    const question = QUESTIONS[at] ?? LEAST;
    try {
      const { rows } = await connection.query({ text: question.text });
      return question.state(rows[0] ?? {});
    } catch (error) {
      if (question === LEAST || !OTHER.has((error as { readonly errno?: unknown } | null)?.errno)) throw error;
      asked.set(key, at + 1);
    }
  }
}

function stateOf(replica: boolean, place: GtidPlace | undefined): NodeState {
  return {
    role: replica ? "replica" : "primary",
    systemId: undefined,
    timeline: place?.timeline,
    position: place?.position,
  };
}

/** As a number, or as the text that a variable of several values has. */
function isOn(value: unknown): boolean {
  if (typeof value === "string") return value !== "0" && value.toUpperCase() !== "OFF";
  return value !== undefined && value !== null && Number(value) !== 0;
}
