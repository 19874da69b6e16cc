/**
 * Names of attributes and metrics: those of OpenTelemetry's conventions for databases
 * (https://opentelemetry.io/docs/specs/semconv/database/), and our own under `breakwater.`.
 */

/** Attributes. */
export const ATTRIBUTE = {
  system: "db.system.name",
  namespace: "db.namespace",
  operation: "db.operation.name",
  collection: "db.collection.name",
  summary: "db.query.summary",
  text: "db.query.text",
  status: "db.response.status_code",
  error: "error.type",
  address: "server.address",
  port: "server.port",
  pool: "db.client.connection.pool.name",
  state: "db.client.connection.state",
  label: "breakwater.call.label",
  attempts: "breakwater.call.attempts",
  event: "breakwater.event",
  node: "breakwater.node.name",
  role: "breakwater.node.role",
  nodeState: "breakwater.node.state",
  reason: "breakwater.reason",
  blames: "breakwater.failure.blames",
  circuit: "breakwater.circuit.state",
  outcome: "breakwater.outcome",
  by: "breakwater.by",
  policy: "breakwater.policy",
  stack: "breakwater.stack",
} as const;

/** Where the buckets of a call's duration end, in seconds, as the conventions recommend. */
export const DURATION_BUCKETS: readonly number[] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** `db.system.name` by the name of the dialect. */
export function systemOf(dialect: string): string {
  return KNOWN_SYSTEMS.has(dialect) ? dialect : "other_sql";
}

const KNOWN_SYSTEMS: ReadonlySet<string> = new Set(["postgresql", "mysql", "mariadb", "sqlite"]);
