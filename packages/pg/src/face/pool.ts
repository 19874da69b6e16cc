/**
 * A `pg.Pool` by its constructor: for code that says `new Pool(config)`, and for classes made of it.
 */
import { type Database, database } from "@breakwater/core";
import type pg from "pg";
import { fromPg } from "../from-pg.ts";
import type { PgSource } from "../config.ts";
import type { PgConfig } from "../types.ts";
import { FacePool } from "./face.ts";
import { type AsPgPoolOptions, checkFace } from "./options.ts";

/** Puts a stack before a configuration of `pg`. */
export type PgStack = (pool: PgSource) => Database;

/** What `new Pool()` takes: what `pg.Pool` takes, what stands before it, and what the face is told. */
export interface PgPoolConfig extends pg.PoolConfig {
  /** The stack. @default the adapter alone, `(pool) => database(fromPg(pool))` */
  readonly stack?: PgStack;
  /** Options of the face. */
  readonly face?: AsPgPoolOptions;
}

/** The constructor of a `pg.Pool` before which a stack stands. A class of clients may follow, as in `pg-pool`. */
export type PoolConstructor = new (config?: PgPoolConfig, Client?: new (...given: never[]) => unknown) => pg.Pool;

class StackedPool extends FacePool {
  static {
    // There are libraries that tell a pool from a client by this.
    Object.defineProperty(this, "name", { value: "Pool" });
  }

  constructor(config: PgPoolConfig = {}, Client?: unknown) {
    const { face, stack = adapterAlone, ...rest } = config ?? {};
    const shown = (Client === undefined ? rest : { Client, ...rest }) as PgConfig;
    const db = stack(shown);
    super(db, checkFace(db, face ?? {}), shown);
  }
}

function adapterAlone(pool: PgSource): Database {
  return database(fromPg(pool));
}

/**
 * A `pg.Pool` before which a stack stands. Without one it is the adapter alone: limits in time, cancelling, rollback of
 * what was left open. `Pool` of `breakwater/pg` has the recommended stack.
 */
export const Pool: PoolConstructor = StackedPool as unknown as PoolConstructor;
export type Pool = pg.Pool;
