/**
 * The least of `postgres` (postgres.js) that the adapter needs, by its shape: any 3.x fits.
 */
import type { Duplex } from "node:stream";

/** A configuration as `postgres()` takes it. What it says of how connections live goes to the layer. */
export interface PostgresJsConfig {
  /** Name or address of the server. @default PGHOST or localhost */
  readonly host?: string | undefined;
  /** Another name of `host`. */
  readonly hostname?: string | undefined;
  /** @default PGPORT or 5432 */
  readonly port?: number | undefined;
  /** Path of a Unix socket, instead of host and port. */
  readonly path?: string | undefined;
  /** The database that is used. @default PGDATABASE or the user's name */
  readonly database?: string | undefined;
  /** Another name of `database`. */
  readonly db?: string | undefined;
  /** Who connects. @default PGUSER or the user of the process */
  readonly user?: string | undefined;
  /** Another name of `user`. */
  readonly username?: string | undefined;
  /** The password, or what gives it for each new connection. @default PGPASSWORD */
  readonly password?: string | (() => string | Promise<string>) | undefined;
  /** Another name of `password`. */
  readonly pass?: string | (() => string | Promise<string>) | undefined;
  /** TLS, as postgres.js takes it. @default none */
  readonly ssl?: "require" | "allow" | "prefer" | "verify-full" | boolean | object | undefined;
  /** Most connections open at once. @default 10 */
  readonly max?: number | undefined;
  /** A connection that was idle this long is ended, in seconds. */
  readonly idle_timeout?: number | undefined;
  /** A connection older than this is ended when it is idle, in seconds. */
  readonly max_lifetime?: number | null | undefined;
  /** Longest wait for a new connection, in seconds. */
  readonly connect_timeout?: number | undefined;
  /** False lets statements be prepared under no name. */
  readonly prepare?: boolean | undefined;
  /** Whether the types of arrays are asked for once. @default true */
  readonly fetch_types?: boolean | undefined;
  /** Own types, as postgres.js takes them. */
  readonly types?: object | undefined;
  /** How rows and columns are changed, as postgres.js takes it. */
  readonly transform?: object | undefined;
  /** Parameters of the session, such as `application_name`. */
  readonly connection?: object | undefined;
  /** Hears the server's notices. */
  readonly onnotice?: ((notice: never) => void) | undefined;
  readonly [option: string]: unknown;
}

/** The options of `postgres()` as it has read them. */
export interface ReadOptions {
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly path: string | false | undefined;
  readonly database: string;
  readonly ssl: unknown;
  readonly sslnegotiation: unknown;
  readonly prepare: unknown;
  readonly fetch_types: unknown;
  readonly keep_alive: unknown;
  readonly target_session_attrs: unknown;
  readonly onnotice: ((notice: unknown) => void) | undefined;
  readonly socket: ((options: unknown) => Duplex | Promise<Duplex>) | undefined;
  readonly [option: string]: unknown;
}

/** One column, as `postgres` describes it. */
export interface SqlColumn {
  readonly name: string;
  readonly type: number;
}

/** The rows of one statement, with what the server said of them. */
export interface SqlResult extends Array<unknown> {
  readonly count: number | null;
  readonly command: string | null;
  readonly columns: readonly SqlColumn[] | null | undefined;
}

/** A query of `postgres`: sent when somebody waits for it. */
export interface SqlQuery extends Promise<SqlResult | readonly SqlResult[]> {
  values(): this;
}

/** What `postgres()` returns. */
export interface SqlInstance {
  readonly options: ReadOptions;
  readonly PostgresError: new (fields: Readonly<Record<string, string>>) => Error;
  unsafe(text: string, values?: unknown[], options?: { prepare?: boolean; simple?: boolean }): SqlQuery;
  end(options?: { timeout?: number }): Promise<void>;
}

/** The one link of a connection. */
export interface Link extends Duplex {
  ref?(): unknown;
  unref?(): unknown;
}
