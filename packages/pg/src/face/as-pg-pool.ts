/**
 * A `pg.Pool` made of a stack: what has a `pg.Pool` today goes on having one.
 */
import type { Database } from "@breakwater/core";
import type pg from "pg";
import { FacePool } from "./face.ts";
import { type AsPgPoolOptions, checkFace } from "./options.ts";

/**
 * Makes a `pg.Pool` whose every call runs through the stack of a `Database`, or of a session of one. Its clients are
 * `pg`'s own, lent from the stack.
 * @throws OptionError when an option is unknown or out of range, or the stack does not stand on `pg`.
 */
export function asPgPool(db: Database, options: AsPgPoolOptions = {}): pg.Pool {
  const face = checkFace(db, options);
  return new FacePool(db, face, { max: db.stats().max }) as unknown as pg.Pool;
}
