/**
 * The connections of one server, on `pg.Pool`.
 */
import type { Driver, DriverConnection, DriverListener } from "@breakwater/core";
import pg from "pg";
import { PgConnection } from "./connection.ts";
import type { PgClient, PgPool } from "./types.ts";

export class PgDriver implements Driver {
  readonly max: number;
  readonly #pool: PgPool;
  readonly #closePool: boolean;
  readonly #connectTimeoutMs: number;
  // One wrapper for the life of a client: its listeners are added once.
  readonly #connections = new Map<PgClient, PgConnection>();
  #listener: DriverListener | undefined;

  constructor(pool: PgPool, closePool: boolean, connectTimeoutMs: number) {
    this.#pool = pool;
    this.#closePool = closePool;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.max = pool.options.max ?? 10;
  }

  listen(listener: DriverListener): void {
    this.#listener = listener;
    this.#pool.on("error", this.#onLost);
    this.#pool.on("remove", this.#onRemove);
  }

  async acquire(): Promise<DriverConnection> {
    for (;;) {
      const client = await this.#pool.connect();
      const connection = this.#connections.get(client) ?? this.#adopt(client);
      connection.held = true;
      if (!connection.retired && connection.usable) return connection;
      // It died, or was given up, while it was idle, and the pool has not heard of it yet.
      await connection.destroy(false);
    }
  }

  async open(): Promise<DriverConnection> {
    const Client = (this.#pool.Client ?? pg.Client) as new (config: object) => PgClient;
    const client = new Client({ ...this.#pool.options, connectionTimeoutMillis: this.#connectTimeoutMs });
    const connection = new PgConnection(client);
    await client.connect();
    // A probe must not keep a finished program alive.
    client.unref?.();
    return connection;
  }

  counts(): { readonly total: number; readonly idle: number } {
    return { total: this.#pool.totalCount, idle: this.#pool.idleCount };
  }

  retire(): void {
    for (const connection of this.#connections.values()) {
      if (connection.held) connection.retired = true;
      else connection.cut();
    }
  }

  async close(): Promise<void> {
    if (!this.#closePool || this.#pool.ended === true || this.#pool.ending === true) return;
    const links = [...this.#connections.values()].map((connection) => connection.gone());
    await this.#pool.end();
    await Promise.all(links);
  }

  #adopt(client: PgClient): PgConnection {
    const connection = new PgConnection(client, (destroy) => client.release?.(destroy));
    client.on("notice", (notice) => this.#listener?.notice(notice));
    this.#connections.set(client, connection);
    return connection;
  }

  readonly #onLost = (error: unknown): void => {
    this.#listener?.lost(error);
  };

  readonly #onRemove = (client: PgClient): void => {
    this.#connections.delete(client);
  };
}
