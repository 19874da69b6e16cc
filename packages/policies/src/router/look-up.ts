/**
 * Questions of the router's own to the catalog of its database.
 */
import { type Clock, type Connection, NoHealthyNodeError, operationContext } from "@breakwater/core";
import type { Topology } from "./topology.ts";

/** Longest that a look into the catalog may take, in milliseconds. */
const LOOK_UP_MS = 5_000;

/** Asks the catalog, where the schema is newest. */
export async function lookUp<T>(
  { primary, readers }: Topology,
  router: { readonly name: string; readonly clock: Clock },
  question: (connection: Connection) => Promise<T>,
): Promise<T> {
  const node = primary ?? readers[0];
  if (node === undefined) throw new NoHealthyNodeError(router.name, "any node", "none is open");
  return node.pool.execute<T>({
    ...operationContext("read"),
    kind: "query",
    statement: { text: "" },
    consistency: "eventual",
    deadline: router.clock.now() + LOOK_UP_MS,
    run: question,
  });
}
