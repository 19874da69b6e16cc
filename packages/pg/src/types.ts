/**
 * The little of node-postgres that this adapter uses, by shape: any version and any subclass that has it will do.
 */

/** A `pg.Client`, or one that a pool has lent. */
export interface PgClient {
  /** Sends one query; `callback` hears its result or its error, once. */
  query(config: unknown, callback: (error: unknown, result: unknown) => void): unknown;
  /** Opens the connection; settles when the server is ready for the first query. */
  connect(callback: (error?: Error | null) => void): void;
  connect(): Promise<unknown>;
  /** Says goodbye to the server; resolves when the connection has ended. */
  end(): Promise<void>;
  /** Gives it back to its pool; `destroy` closes it. Only clients of a pool have it. */
  readonly release?: (destroy?: boolean) => void;
  /** Lets its socket keep the process alive. */
  ref?(): void;
  /** Lets the process end although its socket is open. */
  unref?(): void;
  /** Calls `listener` whenever that happens to the connection. */
  on(event: "error" | "notice" | "notification" | "end", listener: (argument: unknown) => void): unknown;
  /** Takes back what `on` was given. */
  removeListener(event: "error" | "notice" | "notification" | "end", listener: (argument: unknown) => void): unknown;
  /** Gives the function that makes a value of what the server sends for a type. */
  getTypeParser?(...given: unknown[]): unknown;
  /** Whether pg itself sends queries one behind another. */
  readonly pipeline?: unknown;
  /** `I`, `T` or `E`, as the server last said. */
  getTransactionStatus?(): string | null;
  /** Process of the server's backend, for cancelling. */
  readonly processID?: number | null;
  /** Key to that backend, for cancelling. */
  readonly secretKey?: unknown;
  /** Name or address of the server, or the folder of its socket. */
  readonly host?: string;
  /** Port of the server; beside a folder, part of the name of its socket. */
  readonly port?: number;
  /** TLS options as pg has read them, or true; false for none. */
  readonly ssl?: unknown;
  /** How TLS begins: `postgres` or `direct`. */
  readonly sslNegotiation?: string;
  /** The protocol side of it, with its socket. */
  readonly connection?: PgLink;
  /** False while it connects, and while a statement runs. */
  readonly readyForQuery?: boolean;
  // Not public, but the only word on whether a statement would be sent at all.
  /** False once it can send nothing more. */
  readonly _queryable?: boolean;
  /** True once it is being ended. */
  readonly _ending?: boolean;
}

/** The protocol side of a client. Absent in the native binding. */
export interface PgLink {
  /** What pg believes that the server has prepared, by name. Not public. */
  readonly parsedStatements?: Record<string, unknown>;
  /** What pg has sent to be prepared, by name. Not public. */
  readonly submittedNamedStatements?: Record<string, unknown>;
  /** The socket, or the stream of the user's own making. */
  readonly stream?: { destroy(): void; readonly destroyed: boolean; readonly writable: boolean; unref?(): void };
  /** Calls `listener` for each message of that kind, such as `readyForQuery`, and for `end`. */
  on(event: string, listener: (message: { readonly status?: string }) => void): unknown;
  /** The same for the next one only. */
  once(event: string, listener: () => void): unknown;
  /** Takes back what `on` or `once` was given. */
  removeListener(event: string, listener: (message: { readonly status?: string }) => void): unknown;
}

/** A `pg.Pool`. */
export interface PgPool {
  /** Lends a client, opened if need be; it goes back with its `release`. */
  connect(): Promise<PgClient>;
  /** Closes the pool; resolves when its clients have ended. */
  end(): Promise<void>;
  /** Calls `listener` whenever that happens in the pool. */
  on(event: string, listener: (...args: never[]) => void): unknown;
  /** Takes back what `on` was given. */
  removeListener(event: string, listener: unknown): unknown;
  /** Clients that there are, those that are connecting too. */
  readonly totalCount: number;
  /** Clients that nobody has. */
  readonly idleCount: number;
  /** Callers that wait for a client. */
  readonly waitingCount: number;
  /** What it was made with, and its defaults. */
  readonly options: { max?: number; connectionTimeoutMillis?: number | undefined; readonly password?: unknown };
  /** Whether it is closed, and all its clients have gone. */
  readonly ended?: boolean;
  /** Whether it is closed, or being closed. */
  readonly ending?: boolean;
  /** The class of its clients. */
  readonly Client?: unknown;
  // Not public, but the only way to those that are still connecting.
  /** All its clients; one that is connecting is not `_connected` yet. */
  readonly _clients?: readonly (PgClient & { readonly _connected?: boolean })[];
}

/** How to reach a server: what `new pg.Pool()` takes. Everything is passed on untouched, TLS options too. */
export interface PgConfig {
  /**
   * A connection string. It goes before `host`, `port`, `user`, `password` and `database`: those that it does not name
   * have their defaults, whatever is said beside it, except a `password` that is a function. `ssl` counts beside a string
   * that says nothing of TLS.
   */
  readonly connectionString?: string;
  /** Name or address of the server, or the folder of its socket. @default PGHOST or localhost */
  readonly host?: string;
  /** A whole number from 1 to 65535. @default PGPORT or 5432 */
  readonly port?: number;
  /** Who connects. @default PGUSER or USER of the environment (on Windows USERNAME) */
  readonly user?: string;
  /** The database that is used. @default PGDATABASE or the user's name */
  readonly database?: string;
  /**
   * The password, or what gives it for each new connection: also beside a `connectionString` that has none.
   * @default PGPASSWORD or the password file
   */
  readonly password?: string | (() => string | Promise<string>);
  /** TLS: true, or options of `node:tls`. @default what PGSSLMODE says, or none */
  readonly ssl?: unknown;
  /** Most connections open at once, where the adapter's own `max` does not say it. @default 10 */
  readonly max?: number;
  readonly [option: string]: unknown;
}
