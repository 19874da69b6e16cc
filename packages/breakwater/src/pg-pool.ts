/**
 * A `pg.Pool` with the recommended stack behind it.
 */
import { type PgPoolConfig, Pool as StackedPool } from "@breakwater/pg";
import type pg from "pg";
import { breakwater, type BreakwaterOptions } from "./breakwater.ts";

/** What `new Pool()` takes: what `pg.Pool` takes, and what `breakwater()` takes besides the primary. */
export interface PoolConfig extends Omit<PgPoolConfig, "stack"> {
  /** Options of the stack: replicas, limits, policies. */
  readonly breakwater?: Omit<BreakwaterOptions, "primary">;
}

class PresetPool extends StackedPool {
  static {
    // There are libraries that tell a pool from a client by this.
    Object.defineProperty(this, "name", { value: "Pool" });
  }

  constructor({ breakwater: options, ...config }: PoolConfig = {}) {
    super({ ...config, stack: (primary) => breakwater({ ...options, primary }) });
  }
}

/** A `pg.Pool` whose every call runs through the recommended stack. It connects at the first call. */
export const Pool: new (config?: PoolConfig) => pg.Pool = PresetPool;
export type Pool = pg.Pool;
