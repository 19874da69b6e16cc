/**
 * Asks a node for its role and its place in the history, in one round trip, as any account.
 *
 * A node is a replica when it is read only or replicates; a writable server that replicates nothing is a primary.
 */
import type { Connection, NodeState, Reached } from "@breakwater/core";
import { countOf, type GtidPlace, placeOf } from "./gtid.ts";

/** A question, and what its answer says. */
interface Question {
  readonly text: string;
  state(row: Readonly<Record<string, unknown>>): NodeState;
}

/** Whether it replicates takes the server longer to say than all the rest, and is asked of those alone that may be written to. */
const MARIADB_STATE = `@@global.read_only AS readonly, @@global.gtid_binlog_pos AS written, @@global.gtid_slave_pos AS applied,
    @@global.gtid_binlog_state AS writers, @@global.server_id AS own,
    IF(@@global.read_only, NULL, (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS
      WHERE VARIABLE_NAME = 'SLAVE_RUNNING')) AS replicates`;

/**
 * `gtid_binlog_state` runs ahead on a replica: a transaction is in its log before it can be seen. What has been applied, and
 * can be seen, is in `gtid_slave_pos`. On a primary what has been acknowledged is in its log.
 */
const MARIADB: Question = {
  text: `SELECT ${MARIADB_STATE}`,
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
  const key = keyOf(connection);
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

/**
 * Waits for a sequence number in the domain that has been applied; of an id, nothing else counts. Without one there is nothing
 * to wait for, and the answer is NULL; it is -1 when the time is over.
 */
const REACH = `SELECT MASTER_GTID_WAIT(
    CONCAT(NULLIF(SUBSTRING_INDEX(@@global.gtid_slave_pos, '-', 1), ''), '-1-', ?), ?) AS waited, ${MARIADB_STATE}`;

/** There is no such function, 1305: MySQL waits for sets, which a position is not. */
const NO_FUNCTION = 1305;

/** The connections whose server does not wait. */
const impatient = new WeakSet<object>();

/**
 * The node's role and place when it has applied `position`, or when `waitMs` milliseconds are over.
 * @throws the driver's error when the node does not answer.
 */
export async function reach(connection: Connection, position: bigint, waitMs: number): Promise<Reached> {
  const key = keyOf(connection);
  if (!impatient.has(key)) {
    try {
      const { rows } = await connection.query({ text: REACH, values: [String(position), waitMs / 1_000] });
      const row = rows[0] ?? {};
      const state = MARIADB.state(row);
      const there = state.position !== undefined && state.position >= position;
      return { state, waited: there || Number(row["waited"] ?? 0) === -1 };
    } catch (error) {
      const errno = (error as { readonly errno?: unknown } | null)?.errno;
      if (errno !== NO_FUNCTION && !OTHER.has(errno)) throw error;
      impatient.add(key);
    }
  }
  return { state: await probe(connection), waited: false };
}

/** What stands for a connection as long as it lives. */
function keyOf(connection: Connection): object {
  const { driver } = connection;
  return typeof driver === "object" && driver !== null ? driver : connection;
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
