/**
 * The right side: `breakwater()` with the preset's defaults, and no error handling around it.
 */
import { breakwater, type Database, type PoolStats } from "breakwater";
import type { Client, Query } from "./client.ts";
import type { Addresses } from "./today.ts";

export class Protected implements Client {
  readonly database: Database;

  constructor({ primary, replicas }: Addresses) {
    this.database = breakwater({ primary, replicas });
  }

  readonly query: Query = (text, values) => this.database.query(text, values);

  transaction(run: (query: Query) => Promise<void>): Promise<void> {
    return this.database.transaction((transaction) => run((text, values) => transaction.query(text, values)));
  }

  saysUnknown(error: unknown): boolean {
    return (error as { readonly code?: unknown } | null)?.code === "ERR_BREAKWATER_OUTCOME_UNKNOWN";
  }

  /** What the router thinks of its nodes, in the order in which they were given. */
  nodes(): PoolStats["nodes"] {
    return this.database.stats().nodes;
  }

  close(): Promise<void> {
    return this.database.close({ drainMs: 2_000 });
  }
}
