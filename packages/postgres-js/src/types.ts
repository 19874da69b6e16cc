/**
 * The least of `postgres` (postgres.js) that the adapter needs, by its shape: any 3.x fits.
 */
import type { Duplex } from "node:stream";

/** A configuration as `postgres()` takes it. What it says of how connections live goes to the layer. */
export interface PostgresJsConfig {
  /** Name or address of the server. @default PGHOST or localhost */
  readonly host?: string | undefined;
  /** Another name of `host`, which it goes before. */
  readonly hostname?: string | undefined;
  /** A whole number from 1 to 65535. @default PGPORT or 5432 */
  readonly port?: number | undefined;
  /** Path of a Unix socket, instead of host and port. */
  readonly path?: string | undefined;
  /** The database that is used. @default PGDATABASE or the user's name */
  readonly database?: string | undefined;
  /** Another name of `database`, which goes before it. */
  readonly db?: string | undefined;
  /** Who connects. @default PGUSERNAME, PGUSER or the user of the process */
  readonly user?: string | undefined;
  /** Another name of `user`, which goes before it. */
  readonly username?: string | undefined;
  /** The password, or what gives it for each new connection. @default PGPASSWORD */
  readonly password?: string | (() => string | Promise<string>) | undefined;
  /** Another name of `password`, which it goes before. */
  readonly pass?: string | (() => string | Promise<string>) | undefined;
  /** TLS: a word of postgres.js, true, or options of `node:tls`. @default PGSSL or none */
  readonly ssl?: "require" | "allow" | "prefer" | "verify-full" | boolean | object | undefined;
  /** Most connections open at once. @default 10 */
  readonly max?: number | undefined;
  /** A connection that was idle this long is ended, in seconds; 0 for never. @default 60 */
  readonly idle_timeout?: number | undefined;
  /** A connection older than this is ended when it is idle, in seconds; 0 for never. @default 1800 */
  readonly max_lifetime?: number | null | undefined;
  /** Longest that opening a connection may take, in seconds. @default 5 */
  readonly connect_timeout?: number | undefined;
  /** False: no statement is prepared under a name, whatever the adapter's own `prepare` says. @default true */
  readonly prepare?: boolean | undefined;
  /** Whether the types of arrays are asked for once. @default true */
  readonly fetch_types?: boolean | undefined;
  /** Types of one's own by name, each with `to`, `from`, `serialize` and `parse`. */
  readonly types?: object | undefined;
  /** How names of columns, values, rows and `undefined` are changed, such as `postgres.camel`. */
  readonly transform?: object | undefined;
  /** Parameters of the session, such as `application_name`. */
  readonly connection?: object | undefined;
  /** Called with each notice of the server, besides the layer's own listeners. @default nobody */
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
  /** How values become texts, by the numbers of their types. */
  readonly serializers: Readonly<Record<number, ((value: unknown) => unknown) | undefined>>;
  /** How texts become values. */
  readonly parsers: Readonly<Record<number, (((text: string) => unknown) & { readonly array?: boolean }) | undefined>>;
  readonly transform: SqlTransform;
  readonly [option: string]: unknown;
}

/** How names, values and rows are changed on their way from the server. */
interface SqlTransform {
  /** What an undefined value is sent as. */
  readonly undefined?: unknown;
  readonly column?: { readonly from?: ((name: string) => string) | undefined };
  readonly value?: { readonly from?: ((value: unknown, column: SqlColumn) => unknown) | undefined };
  readonly row?: { readonly from?: ((row: unknown) => unknown) | undefined };
}

/** One column, as `postgres` describes it. */
export interface SqlColumn {
  readonly name: string;
  readonly type: number;
  /** Number of its table; 0 for an expression. */
  readonly table?: number;
  /** Its place in the table, from 1; 0 for an expression. */
  readonly number?: number;
}

/** A value with its type, as `sql.typed()` and `sql.array()` make it. */
export interface SqlParameter {
  readonly value: unknown;
  readonly type: number;
  /** Types of lists, by those of their elements. */
  readonly array?: Readonly<Record<number, number | undefined>> | undefined;
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
  typed(value: unknown, type: number): SqlParameter & { readonly constructor: new (...given: never[]) => SqlParameter };
  end(options?: { timeout?: number }): Promise<void>;
}

/** The one link of a connection. */
export interface Link extends Duplex {
  ref?(): unknown;
  unref?(): unknown;
}
