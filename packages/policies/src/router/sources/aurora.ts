/**
 * The instances of an Amazon Aurora PostgreSQL cluster, by the function that each of them has.
 *
 * Written after the documentation ("Aurora PostgreSQL functions reference", `aurora_replica_status`); it has not been run
 * against Aurora.
 */
import { operationContext, type Pool, positiveMs, text } from "@breakwater/core";
import { type NodeDescription, polling, type PollingOptions, type TopologySource } from "./source.ts";

export interface AuroraSourceOptions extends PollingOptions {
  /** A pool on the cluster endpoint, which always leads to some instance. The source does not close it. */
  readonly pool: Pool;
  /** What follows the instance's name in its address, such as `.c9akciq32.eu-west-1.rds.amazonaws.com`. */
  readonly suffix: string;
  /** @default 5432 */
  readonly port?: number;
  /** Pause between two questions, in milliseconds, above 0. @default 1000 */
  readonly refreshMs?: number;
  /** Longest wait for an answer, in milliseconds. @default 2000 */
  readonly timeoutMs?: number;
}

/** The writer's session is named so; instances that have not reported for long are gone. */
const STATUS = `SELECT server_id AS name, session_id = 'MASTER_SESSION_ID' AS writer FROM aurora_replica_status()
  WHERE session_id = 'MASTER_SESSION_ID' OR last_update_timestamp > now() - interval '5 minutes'`;

/**
 * Makes a source of an Aurora cluster.
 * @throws OptionError when an option is out of range.
 */
export function auroraSource(options: AuroraSourceOptions): TopologySource {
  const { pool, port = 5_432, clock } = options;
  const suffix = text("auroraSource.suffix", options.suffix);
  const timeoutMs = positiveMs("auroraSource.timeoutMs", options.timeoutMs ?? 2_000);
  const refreshMs = positiveMs("auroraSource.refreshMs", options.refreshMs ?? 1_000);
  const list = async (): Promise<readonly NodeDescription[]> => {
    const statement = { text: STATUS };
    const { rows } = await pool.execute({
      ...operationContext("read"),
      kind: "query",
      statement,
      deadline: (clock ?? performance).now() + timeoutMs,
      run: (connection) => connection.query<{ name: string; writer: boolean }>(statement),
    });
    return rows.map(({ name, writer }) => ({
      name,
      host: `${name}${suffix}`,
      port,
      role: writer ? "primary" : "replica",
    }));
  };
  return polling(list, refreshMs, clock);
}
