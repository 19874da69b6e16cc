/**
 * The little of node-postgres that this adapter uses, by shape: any version and any subclass that has it will do.
 */

/** A `pg.Client`, or one that a pool has lent. */
export interface PgClient {
  query(config: unknown, callback: (error: unknown, result: unknown) => void): unknown;
  connect(callback: (error?: Error | null) => void): void;
  connect(): Promise<unknown>;
  end(): Promise<void>;
  readonly release?: (destroy?: boolean) => void;
  ref?(): void;
  unref?(): void;
  on(event: "error" | "notice" | "notification" | "end", listener: (argument: unknown) => void): unknown;
  removeListener(event: "error" | "notice" | "notification" | "end", listener: (argument: unknown) => void): unknown;
  getTypeParser?(...given: unknown[]): unknown;
  readonly pipeline?: unknown;
  /** `I`, `T` or `E`, as the server last said. */
  getTransactionStatus?(): string | null;
  readonly processID?: number | null;
  readonly secretKey?: unknown;
  readonly host?: string;
  readonly port?: number;
  readonly ssl?: unknown;
  readonly sslNegotiation?: string;
  readonly connection?: PgLink;
  /** False while a statement runs. */
  readonly readyForQuery?: boolean;
  // Not public, but the only word on whether a statement would be sent at all.
  readonly _queryable?: boolean;
  readonly _ending?: boolean;
}

/** The protocol side of a client. Absent in the native binding. */
export interface PgLink {
  /** What pg believes that the server has prepared, by name. Not public. */
  readonly parsedStatements?: Record<string, unknown>;
  readonly submittedNamedStatements?: Record<string, unknown>;
  readonly stream?: { destroy(): void; readonly destroyed: boolean; readonly writable: boolean; unref?(): void };
  on(event: string, listener: (message: { readonly status?: string }) => void): unknown;
  once(event: string, listener: () => void): unknown;
  removeListener(event: string, listener: (message: { readonly status?: string }) => void): unknown;
}

/** A `pg.Pool`. */
export interface PgPool {
  connect(): Promise<PgClient>;
  end(): Promise<void>;
  on(event: string, listener: (...args: never[]) => void): unknown;
  removeListener(event: string, listener: unknown): unknown;
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  readonly options: { max?: number; connectionTimeoutMillis?: number | undefined; readonly password?: unknown };
  readonly ended?: boolean;
  readonly ending?: boolean;
  readonly Client?: unknown;
  // Not public, but the only way to those that are still connecting.
  readonly _clients?: readonly (PgClient & { readonly _connected?: boolean })[];
}

/** How to reach a server: what `new pg.Pool()` takes. Everything is passed on untouched, TLS options too. */
export interface PgConfig {
  readonly connectionString?: string;
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly database?: string;
  readonly password?: string | (() => string | Promise<string>);
  readonly ssl?: unknown;
  /** Most connections. @default 10 */
  readonly max?: number;
  readonly [option: string]: unknown;
}
