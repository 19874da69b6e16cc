/**
 * A `pg.Pool` by its constructor: for code that says `new Pool(config)`, and for classes made of it.
 */
import { type Database, database } from "@breakwater/core";
import pg from "pg";
import { fromPg } from "../from-pg.ts";
import type { PgSource } from "../config.ts";
import type { PgConfig } from "../types.ts";
import { FacePool } from "./face.ts";
import { type AsPgPoolOptions, checkFace } from "./options.ts";

/** What `new Pool()` takes: what `pg.Pool` takes, and what the face is told. */
export interface PgPoolConfig extends pg.PoolConfig {
  /** Options of the face. */
  readonly face?: AsPgPoolOptions;
}

/** Puts a stack before a pool of `pg`. */
export type PgStack = (pool: PgSource) => Database;

/** The constructor of a `pg.Pool` before which a stack stands. */
export type PoolConstructor = new (config?: PgPoolConfig, stack?: PgStack) => pg.Pool;

class StackedPool extends FacePool {
  constructor(config: PgPoolConfig = {}, stack: PgStack = (pool) => database(fromPg(pool))) {
    const { face, ...shown } = config;
    const db = stack(new pg.Pool(shown) as unknown as PgSource);
    super(db, checkFace(db, face ?? {}), shown as PgConfig);
  }
}

/**
 * A `pg.Pool` before which a stack stands. Without one it is the adapter alone: limits in time, cancelling, rollback of
 * what was left open. `Pool` of `breakwater/pg` has the recommended stack.
 */
export const Pool: PoolConstructor = StackedPool as unknown as PoolConstructor;
export type Pool = pg.Pool;
