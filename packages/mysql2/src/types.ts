/**
 * The little of mysql2 that this adapter uses, by shape: any version that has it will do.
 */
import type { Readable } from "node:stream";

/** A statement, as mysql2 takes it. */
export interface Mysql2Statement {
  readonly sql: string;
  readonly values?: readonly unknown[];
  readonly rowsAsArray?: boolean;
}

export type Mysql2Answer = (error: unknown, rows: unknown, fields?: unknown) => void;

/** A statement under way that nobody waits for with a callback. */
interface Mysql2Command {
  stream(options: { readonly highWaterMark: number }): Readable;
}

/** A connection of `mysql2`, not of `mysql2/promise`. */
export interface Mysql2Client {
  query(statement: Mysql2Statement, answered?: Mysql2Answer): Mysql2Command;
  execute(statement: Mysql2Statement, answered?: Mysql2Answer): Mysql2Command;
  /** Lets go of what it has prepared for a statement. */
  unprepare?(statement: Mysql2Statement): unknown;
  connect(connected: (error: unknown) => void): void;
  /** Takes away what the session holds; since 3.12. */
  reset?(done: (error: unknown) => void): unknown;
  changeUser(options: object, done: (error: unknown) => void): unknown;
  end(done?: (error: unknown) => void): unknown;
  on(event: "error" | "end", listener: (error?: unknown) => void): unknown;
  removeListener(event: "error" | "end", listener: (error?: unknown) => void): unknown;
  /** The server's number for the connection. */
  readonly threadId: number | null;
  readonly stream: Mysql2Stream;
  // Not public, but the only word on whether a statement would be sent at all.
  readonly _closing?: boolean;
  readonly _fatalError?: unknown;
  readonly _protocolError?: unknown;
  /** What it waits for the answer to; a statement has a text. Not public. */
  readonly _command?: { readonly sql?: unknown } | null | undefined;
  // Not public, but the only place where the state of the transaction behind rows can be seen.
  handlePacket?: (packet?: Mysql2Packet) => void;
}

export interface Mysql2Stream {
  readonly destroyed?: boolean;
  readonly writable?: boolean;
  destroy(): void;
  once(event: "close", listener: () => void): unknown;
  removeListener(event: "close", listener: () => void): unknown;
  ref?(): void;
  unref?(): void;
}

export interface Mysql2Packet {
  isEOF(): boolean;
  eofStatusFlags(): number;
  readonly sequenceId: number;
  readonly buffer: Buffer;
  readonly offset: number;
  readonly end: number;
}

/**
 * How to reach a server: what `mysql2.createConnection()` takes, which is passed on untouched, TLS options too. What is said
 * for a pool of mysql2 is for the layer: it opens the connections.
 */
export interface Mysql2Config {
  /** A connection string, for what the other options do not say. */
  readonly uri?: string;
  /** Name or address of the server. @default localhost */
  readonly host?: string;
  /** A whole number from 1 to 65535. @default 3306 */
  readonly port?: number;
  /** Path of a Unix socket, instead of host and port. */
  readonly socketPath?: string;
  /** Who connects. */
  readonly user?: string;
  /** Password of `user`. */
  readonly password?: string;
  /** The database that is used. @default none */
  readonly database?: string;
  /** TLS: options of `node:tls`, or the name of one of mysql2's profiles. @default none */
  readonly ssl?: unknown;
  /** Most connections, as for a pool of mysql2. @default 10 */
  readonly connectionLimit?: number;
  readonly [option: string]: unknown;
}
