/**
 * A `pg.Client` with the recommended stack behind it.
 */
import { Client as StackedClient, type PgClientConfig } from "@breakwater/pg";
import type pg from "pg";
import { breakwater, type BreakwaterOptions } from "./breakwater.ts";

/** What `new Client()` takes: what `pg.Client` takes, and what `breakwater()` takes besides the primary. */
export interface ClientConfig extends Omit<PgClientConfig, "stack" | "stackKey"> {
  /** Options of the stack: replicas, limits, policies. Clients of equal configurations share it. */
  readonly breakwater?: Omit<BreakwaterOptions, "primary">;
}

/** How many connections clients may have by default: each has one, and how many there are is not ours to say. */
const MAX_CLIENTS = 10_000;

class PresetClient extends StackedClient {
  static {
    // There are libraries that tell a pool from a client by this.
    Object.defineProperty(this, "name", { value: "Client" });
  }

  constructor(given?: string | ClientConfig) {
    const { breakwater: options, ...config } = typeof given === "string" ? { connectionString: given } : (given ?? {});
    super({
      ...config,
      // pg hides the password of a pool's options from copies.
      ...(typeof given === "object" && given.password !== undefined ? { password: given.password } : {}),
      stack: (primary) => breakwater({ ...options, pool: { max: MAX_CLIENTS, ...options?.pool }, primary }),
      stackKey: options,
    });
  }
}

/** A `pg.Client` whose statements run through the recommended stack. It connects as `pg`'s does, by `connect()`. */
export const Client: new (config?: string | ClientConfig) => pg.Client = PresetClient;
export type Client = pg.Client;
