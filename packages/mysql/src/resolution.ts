/**
 * What becomes of a transaction whose COMMIT was not answered.
 *
 * Neither MySQL nor MariaDB can be asked for the end of a transaction; the ledger's row is the proof, and it counts once the
 * transaction is over. Whether it is can be asked: each connection that runs such transactions holds a named lock until its
 * end at the server, which comes after that of its transaction. Another server, or the same after a restart, has no such
 * lock, and what had not reached its log is not there.
 */
import type { Connection, Outcome, QueryResult, TransactionIdentity, TransactionResolution } from "@breakwater/core";
import { randomUUID } from "node:crypto";

/** Who a connection is at its server. */
interface Holder {
  /** Of its lock; no other connection ever has the same. */
  readonly name: string;
  readonly processId: number;
}

/** By the driver's connection; undefined for one whose server has no such locks. */
const holders = new WeakMap<object, Holder | undefined>();

/** Not supported, not allowed: 1235, 1227, 1370. */
const REFUSED: ReadonlySet<unknown> = new Set([1235, 1227, 1370]);

/** For an adapter: the session of the connection `driver` has been reset, and its lock is gone. */
export function forgetSession(driver: object): void {
  holders.delete(driver);
}

async function holderOf(connection: Connection): Promise<Holder | undefined> {
  const key = connection.driver as object;
  if (holders.has(key)) return holders.get(key);
  const holder = await lock(connection);
  holders.set(key, holder);
  return holder;
}

async function lock(connection: Connection): Promise<Holder | undefined> {
  // At most 64 characters.
  const name = `breakwater:${randomUUID()}`;
  try {
    const text = `SELECT CONNECTION_ID() AS id, GET_LOCK('${name}', 0) AS got`;
    const { rows } = await connection.query<{ id: unknown; got: unknown }>({ text });
    return Number(rows[0]?.got) === 1 ? { name, processId: Number(rows[0]?.id) } : undefined;
  } catch (error) {
    if (REFUSED.has((error as { readonly errno?: unknown } | null)?.errno)) return undefined;
    throw error;
  }
}

export const resolution: TransactionResolution = Object.freeze({
  async incarnation(connection: Connection): Promise<string> {
    return (await holderOf(connection))?.name ?? "";
  },

  identity(
    _begun: QueryResult,
    incarnation: string,
    connection: Connection,
  ): Omit<TransactionIdentity, "node"> | undefined {
    const holder = holders.get(connection.driver as object);
    if (holder === undefined || holder.name !== incarnation) return undefined;
    return { id: holder.name, processId: holder.processId, incarnation };
  },

  async outcome(primary: Connection, { id }: TransactionIdentity): Promise<Outcome> {
    return (await processOf(primary, id)) === undefined ? "unprovable" : "in-progress";
  },

  async end(primary: Connection, { id }: TransactionIdentity): Promise<void> {
    const process = await processOf(primary, id);
    if (process === undefined) return;
    try {
      // No number is given to a second connection in the life of a server.
      await primary.query({ text: `KILL ${process}` });
    } catch (error) {
      // It has ended by itself.
      if ((error as { readonly errno?: unknown } | null)?.errno !== NO_SUCH_THREAD) throw error;
    }
  },
});

const NO_SUCH_THREAD = 1094;

/** Which connection holds a lock; undefined for none. */
async function processOf(primary: Connection, name: string): Promise<number | undefined> {
  const text = "SELECT IS_USED_LOCK(?) AS process";
  const { rows } = await primary.query<{ process: unknown }>({ text, values: [name] });
  const process = rows[0]?.process;
  return process === null || process === undefined ? undefined : Number(process);
}
