/** Libraries without types of their own, as far as they are used here. */
declare module "pg-copy-streams" {
  import type { Readable, Writable } from "node:stream";
  import type { Submittable } from "pg";
  export function from(text: string): Writable & Submittable;
  export function to(text: string): Readable & Submittable;
}

declare module "pg-cursor" {
  import type { Connection, Submittable } from "pg";
  export default class Cursor<Row = unknown> implements Submittable {
    constructor(text: string, values?: readonly unknown[]);
    submit(connection: Connection): void;
    read(rows: number): Promise<Row[]>;
    close(): Promise<void>;
  }
}

declare module "connect-pg-simple" {
  import type { Pool } from "pg";
  interface Store {
    set(id: string, session: unknown, done: (error?: unknown) => void): void;
    get(id: string, done: (error: unknown, session?: unknown) => void): void;
    destroy(id: string, done: (error?: unknown) => void): void;
    close(): Promise<void>;
  }
  export default function connect(
    session: unknown,
  ): new (options: { pool: Pool; createTableIfMissing?: boolean; pruneSessionInterval?: false }) => Store;
}

declare module "express-session" {
  const session: unknown;
  export default session;
}

declare module "knex/lib/dialects/postgres/index.js" {
  import type knex from "knex";
  export default class PostgresClient extends knex.Client {
    protected _driver(): unknown;
    protected _acquireOnlyConnection(): Promise<unknown>;
    override destroyRawConnection(connection: unknown): Promise<void>;
  }
}
