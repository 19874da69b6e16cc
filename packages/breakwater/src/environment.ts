/**
 * What the environment says of the database, in the usual names.
 */
import { isPgPool, type PgConfig, type PgSource } from "@breakwater/pg";

/** `DATABASE_URL`, else an empty configuration: `pg` itself reads `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`. */
export function environmentSource(environment: Readonly<Record<string, string | undefined>> = process.env): PgSource {
  const url = environment["DATABASE_URL"];
  return url === undefined || url === "" ? {} : url;
}

/** The same source at another address: same user, password, database and options. */
export function atAddress(source: PgSource, host: string, port: number): PgSource {
  if (isPgPool(source)) {
    // pg hides the password from copies.
    const { password } = source.options as PgConfig;
    return { ...(source.options as PgConfig), ...(password === undefined ? {} : { password }), host, port };
  }
  const config: PgConfig = typeof source === "string" ? { connectionString: source } : source;
  const { connectionString } = config;
  if (connectionString === undefined) return { ...config, host, port };
  const url = new URL(connectionString);
  url.host = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { ...config, connectionString: url.href };
}

/** The same source with the most connections it may open; a pool that exists, and a configuration that says, keep theirs. */
export function withMax(source: PgSource, max: number | undefined): PgSource {
  if (max === undefined || isPgPool(source)) return source;
  return typeof source === "string" ? { connectionString: source, max } : { max, ...source };
}
