/**
 * The little of node-postgres that this adapter uses, by shape: any version and any subclass that has it will do.
 */

/** A `pg.Client`, or one that a pool has lent. */
export interface PgClient {
  /** Sends one query, told by its callback. */
  query(config: unknown, callback: (error: unknown, result: unknown) => void): unknown;
  /** Opens the connection. */
  connect(callback: (error?: Error | null) => void): void;
  connect(): Promise<unknown>;
  /** Ends it politely. */
  end(): Promise<void>;
  /** Gives it back to its pool; `destroy` closes it. Only clients of a pool have it. */
  readonly release?: (destroy?: boolean) => void;
  /** Lets its socket keep the process alive. */
  ref?(): void;
  /** Lets the process end although its socket is open. */
  unref?(): void;
  /** Listens to what happens to it. */
  on(event: "error" | "notice" | "notification" | "end", listener: (argument: unknown) => void): unknown;
  /** Ends that. */
  removeListener(event: "error" | "notice" | "notification" | "end", listener: (argument: unknown) => void): unknown;
  /** Finds the function that reads a type. */
  getTypeParser?(...given: unknown[]): unknown;
  /** Whether pg itself sends queries one behind another. */
  readonly pipeline?: unknown;
  /** `I`, `T` or `E`, as the server last said. */
  getTransactionStatus?(): string | null;
  /** Process of the server's backend, for cancelling. */
  readonly processID?: number | null;
  /** Key to that backend, for cancelling. */
  readonly secretKey?: unknown;
  /** Where the server is. */
  readonly host?: string;
  /** The server's port. */
  readonly port?: number;
  /** TLS, as pg was given it. */
  readonly ssl?: unknown;
  /** How TLS begins: `postgres` or `direct`. */
  readonly sslNegotiation?: string;
  /** The link below it. */
  readonly connection?: PgLink;
  /** False while a statement runs. */
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
  /** The socket. */
  readonly stream?: { destroy(): void; readonly destroyed: boolean; readonly writable: boolean; unref?(): void };
  /** Listens to what the server says. */
  on(event: string, listener: (message: { readonly status?: string }) => void): unknown;
  /** Listens to it once. */
  once(event: string, listener: () => void): unknown;
  /** Ends that. */
  removeListener(event: string, listener: (message: { readonly status?: string }) => void): unknown;
}

/** A `pg.Pool`. */
export interface PgPool {
  /** Lends a client. */
  connect(): Promise<PgClient>;
  /** Closes the pool. */
  end(): Promise<void>;
  /** Listens to what happens in it. */
  on(event: string, listener: (...args: never[]) => void): unknown;
  /** Ends that. */
  removeListener(event: string, listener: unknown): unknown;
  /** Clients that there are. */
  readonly totalCount: number;
  /** Clients that nobody has. */
  readonly idleCount: number;
  /** Callers that wait for a client. */
  readonly waitingCount: number;
  /** What it was made with. */
  readonly options: { max?: number; connectionTimeoutMillis?: number | undefined; readonly password?: unknown };
  /** Whether it has been closed. */
  readonly ended?: boolean;
  /** Whether it is closed, or being closed. */
  readonly ending?: boolean;
  /** The class of its clients. */
  readonly Client?: unknown;
  // Not public, but the only way to those that are still connecting.
  /** Its clients, those that are connecting too. */
  readonly _clients?: readonly (PgClient & { readonly _connected?: boolean })[];
}

/** How to reach a server: what `new pg.Pool()` takes. Everything is passed on untouched, TLS options too. */
export interface PgConfig {
  /** A connection string, for what the other options do not say. */
  readonly connectionString?: string;
  /** Name or address of the server, or the folder of its socket. @default PGHOST or localhost */
  readonly host?: string;
  /** @default PGPORT or 5432 */
  readonly port?: number;
  /** Who connects. @default PGUSER or the user of the process */
  readonly user?: string;
  /** The database that is used. @default PGDATABASE or the user's name */
  readonly database?: string;
  /** The password, or what gives it for each new connection. @default PGPASSWORD */
  readonly password?: string | (() => string | Promise<string>);
  /** TLS, as `pg` takes it. @default none */
  readonly ssl?: unknown;
  /** Most connections. @default 10 */
  readonly max?: number;
  readonly [option: string]: unknown;
}
