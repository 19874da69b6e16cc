/**
 * What the environment says of the database, in the usual names.
 */
import { isPgPool, type PgSource } from "@breakwater/pg";

/** `DATABASE_URL`, else an empty configuration: `pg` itself reads `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`. */
export function environmentSource(environment: Readonly<Record<string, string | undefined>> = process.env): PgSource {
  const url = environment["DATABASE_URL"];
  return url === undefined || url === "" ? {} : url;
}

/** The same source with the most connections it may open; a pool that exists, and a configuration that says, keep theirs. */
export function withMax(source: PgSource, max: number | undefined): PgSource {
  if (max === undefined || isPgPool(source)) return source;
  return typeof source === "string" ? { connectionString: source, max } : { max, ...source };
}
