/**
 * Asks one server directly what became of a transaction, as commit resolution does, without a router in between.
 */
import type { ClusterNode } from "@breakwater/chaos";
import { type Connection, operationContext, type Outcome, type Pool, type TransactionIdentity } from "@breakwater/core";
import { fromPg } from "@breakwater/pg";
import { postgres } from "@breakwater/postgres";
import pg from "pg";

if (postgres.resolution === undefined) throw new Error("the dialect cannot resolve");
const { resolution } = postgres;

/** A pool of direct connections to a node. */
export function direct(node: ClusterNode, user = "postgres"): Pool {
  return fromPg({ host: "127.0.0.1", port: node.directPort, user, database: "postgres" });
}

/** What a node answers. */
export async function ask(node: ClusterNode, transaction: TransactionIdentity, user?: string): Promise<Outcome> {
  return on(node, user, (connection) => resolution.outcome(connection, transaction));
}

/** Has a node end the process that runs a transaction. */
export function endOn(node: ClusterNode, transaction: TransactionIdentity, user?: string): Promise<void> {
  return on(node, user, (connection) => resolution.end(connection, transaction));
}

async function on<T>(
  node: ClusterNode,
  user: string | undefined,
  run: (connection: Connection) => Promise<T>,
): Promise<T> {
  const pool = direct(node, user);
  try {
    return await pool.execute<T>({ ...operationContext("read"), kind: "query", statement: { text: "" }, run });
  } finally {
    await pool.close();
  }
}

/** A transaction on a bare connection, and who it is. */
export interface OpenTransaction {
  readonly client: pg.Client;
  readonly transaction: TransactionIdentity;
}

/** Begins a transaction on a bare connection, as the layer does. */
export async function begun(node: ClusterNode, user = "postgres"): Promise<OpenTransaction> {
  const client = new pg.Client({ host: "127.0.0.1", port: node.directPort, user, database: "postgres" });
  client.on("error", () => undefined);
  await client.connect();
  const connection = {
    driver: client,
    discard: () => undefined,
    query: ((statement: { text: string }) => client.query({ ...statement })) as never,
  };
  const life = await resolution.incarnation(connection);
  const answer = await client.query(`BEGIN; ${resolution.identityText}`);
  const known = resolution.identity(answer as never, life, connection);
  if (known === undefined) throw new Error("the transaction has no identity");
  return { client, transaction: { ...known, node: node.name } };
}

/** The identity of a transaction that has committed a row, in a table `kept`. */
export async function committed(node: ClusterNode, user?: string): Promise<TransactionIdentity> {
  const { client, transaction } = await begun(node, user);
  await client.query("INSERT INTO kept DEFAULT VALUES; COMMIT");
  await client.end();
  return transaction;
}
