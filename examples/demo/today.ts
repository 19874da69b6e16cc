/**
 * The left side: what careful people write today. A pool for each server with sensible limits, reads in turn on the
 * replicas, and up to three retries with a short pause when anything goes wrong.
 */
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import type { Client, Query, Rows } from "./client.ts";

const MAX_RETRIES = 3;
const PAUSE_MS = 100;

/** Where the servers are, as a configuration would say. */
export interface Addresses {
  readonly primary: string;
  readonly replicas: readonly string[];
}

export class Today implements Client {
  #primary: pg.Pool;
  #replicas: readonly pg.Pool[];
  #turn = 0;

  constructor(addresses: Addresses) {
    this.#primary = pool(addresses.primary);
    this.#replicas = addresses.replicas.map(pool);
  }

  readonly query: Query = (text, values) => retried(() => this.#poolFor(text).query(text, [...values]));

  transaction(run: (query: Query) => Promise<void>): Promise<void> {
    return retried(async () => {
      const client = await this.#primary.connect();
      try {
        await client.query("BEGIN");
        await run((text, values) => client.query(text, [...values]));
        await client.query("COMMIT");
        client.release();
      } catch (error) {
        await client.query("ROLLBACK").catch(() => undefined);
        client.release(true);
        throw error;
      }
    });
  }

  /** A plain error is all that such code has: it cannot tell "failed" from "perhaps". */
  saysUnknown(): boolean {
    return false;
  }

  /** The configuration was changed by hand, and the service restarted, after a failover. */
  async reconfigure(addresses: Addresses): Promise<void> {
    const old = [this.#primary, ...this.#replicas];
    this.#primary = pool(addresses.primary);
    this.#replicas = addresses.replicas.map(pool);
    await Promise.all(old.map((one) => one.end()));
  }

  async close(): Promise<void> {
    await Promise.all([this.#primary, ...this.#replicas].map((one) => one.end()));
  }

  #poolFor(text: string): pg.Pool {
    if (!/^\s*SELECT\b/i.test(text)) return this.#primary;
    return this.#replicas[this.#turn++ % this.#replicas.length] ?? this.#primary;
  }
}

function pool(connectionString: string): pg.Pool {
  const made = new pg.Pool({ connectionString, max: 10, connectionTimeoutMillis: 2_000, query_timeout: 2_000 });
  made.on("error", () => undefined);
  // A borrowed connection that dies would otherwise end the process.
  made.on("connect", (client) => client.on("error", () => undefined));
  return made;
}

async function retried<T extends Rows | void>(attempt: () => Promise<T>): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (retries === MAX_RETRIES) throw error;
      await pause(PAUSE_MS);
    }
  }
}
