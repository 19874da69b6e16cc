/**
 * The connections of a `pg.Pool` that somebody else made: how they live is its owner's to say.
 */
import type { Driver, DriverConnection, DriverListener, Events } from "@breakwater/core";
import pg from "pg";
import { PgConnection } from "./connection.ts";
import { GOODBYE_MS } from "./goodbye.ts";
import { PG_LAYER } from "./driver.ts";
import { tellEvents } from "./events.ts";
import { keptByHolder } from "./held.ts";
import type { PgClient, PgPool } from "./types.ts";

export class PgPoolDriver implements Driver {
  readonly layer: string = PG_LAYER;
  readonly max: number;
  readonly #pool: PgPool;
  readonly #closePool: boolean;
  readonly #connectTimeoutMs: number;
  // One wrapper for the life of a client: its listeners are added once.
  readonly #connections = new Map<PgClient, PgConnection>();
  // How the pool takes each client back. Whoever borrows a client may have put a function of its own in that place.
  readonly #takeBack = new WeakMap<PgClient, PgClient["release"]>();
  // Clients that are out of the pool: with us, or with others who use the same pool.
  readonly #out = new WeakSet<PgClient>();
  // Clients of our own that are still connecting.
  readonly #opening = new Set<PgClient>();
  #listener: DriverListener | undefined;
  #stopTelling: (() => void) | undefined;

  constructor(pool: PgPool, closePool: boolean, connectTimeoutMs: number) {
    this.#pool = pool;
    this.#closePool = closePool;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.max = pool.options.max ?? 10;
    // A wait without an end is never wanted; what the owner chose stays.
    pool.options.connectionTimeoutMillis ||= connectTimeoutMs;
  }

  listen(listener: DriverListener): void {
    this.#listener = listener;
    this.#pool.on("error", this.#onLost);
    this.#pool.on("connect", this.#onConnect);
    this.#pool.on("remove", this.#onRemove);
    this.#pool.on("acquire", this.#onAcquire);
    this.#pool.on("release", this.#onRelease);
  }

  async acquire(): Promise<DriverConnection> {
    for (let tries = 0; ; tries += 1) {
      const client = await this.#pool.connect().catch(this.#onUnopened);
      const connection = this.#connections.get(client) ?? this.#adopt(client);
      connection.taken();
      this.#takeBack.set(client, client.release);
      if (!connection.retired && connection.usable) return connection;
      // It died, or was given up, while it was idle, and the pool has not heard of it yet.
      await connection.destroy(false);
      // There are not so many idle ones: new ones die as well, and whoever asked must hear of it.
      if (tries > this.max) throw new Error("Connection terminated unexpectedly");
    }
  }

  held(client: unknown): DriverConnection | undefined {
    const connection = this.#connections.get(client as PgClient);
    return connection?.held === true && connection.usable ? keptByHolder(connection) : undefined;
  }

  /** Lets the listeners of a stack hear what those of a `pg.Pool` do. */
  tell(events: Events, pool: string): void {
    this.#stopTelling = tellEvents(this.#pool, events, pool);
  }

  async open(): Promise<DriverConnection> {
    const Client = (this.#pool.Client ?? pg.Client) as new (config: object) => PgClient;
    // pg hides the password from copies.
    const { password } = this.#pool.options;
    const client = new Client({
      ...this.#pool.options,
      ...(password === undefined ? {} : { password }),
      connectionTimeoutMillis: this.#connectTimeoutMs,
    });
    const connection = new PgConnection(client);
    this.#opening.add(client);
    try {
      await client.connect();
    } catch (error) {
      // pg leaves the link open when it was the client that could not go on.
      client.connection?.stream?.destroy();
      throw error;
    } finally {
      this.#opening.delete(client);
    }
    // A probe must not keep a finished program alive.
    client.unref?.();
    return connection;
  }

  counts(): { readonly total: number; readonly idle: number; readonly connecting: number } {
    const connecting = this.#pool._clients?.filter(({ _connected }) => _connected !== true).length ?? 0;
    return { total: this.#pool.totalCount, idle: this.#pool.idleCount, connecting };
  }

  retire(): void {
    for (const [client, connection] of this.#connections) {
      // Those that are out end when they come back, as far as we are concerned.
      if (connection.held || this.#out.has(client)) connection.retired = true;
      else connection.cut();
    }
  }

  async close(): Promise<void> {
    for (const client of this.#opening) client.connection?.stream?.destroy();
    if (!this.#closePool || this.#pool.ended === true || this.#pool.ending === true) {
      this.#forget();
      return;
    }
    const idle = [...this.#connections].filter(([client]) => !this.#out.has(client));
    const links = idle.map(([, connection]) => connection.gone());
    let timer: NodeJS.Timeout | undefined;
    // A pool that others use as well ends when they have given everything back, which nobody can wait for.
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        for (const client of this.#pool._clients ?? []) {
          if (client._connected !== true) client.connection?.stream?.destroy();
        }
        timer = setTimeout(resolve, GOODBYE_MS);
      }, GOODBYE_MS);
    });
    await Promise.race([this.#pool.end().then(() => Promise.all(links)), limit]);
    clearTimeout(timer);
  }

  /** Takes our listeners off a pool that goes on without us. */
  #forget(): void {
    this.#stopTelling?.();
    this.#pool.removeListener("error", this.#onLost);
    this.#pool.removeListener("connect", this.#onConnect);
    this.#pool.removeListener("remove", this.#onRemove);
    this.#pool.removeListener("acquire", this.#onAcquire);
    this.#pool.removeListener("release", this.#onRelease);
    for (const [client, connection] of this.#connections) {
      connection.forget();
      client.removeListener("notice", this.#onNotice);
    }
    this.#connections.clear();
  }

  #adopt(client: PgClient): PgConnection {
    const connection = new PgConnection(client, { giveBack: (destroy) => this.#takeBack.get(client)?.(destroy) });
    client.on("notice", this.#onNotice);
    this.#connections.set(client, connection);
    return connection;
  }

  readonly #onLost = (error: unknown): void => {
    this.#listener?.lost(error);
  };

  readonly #onConnect = (): void => {
    this.#listener?.opened?.();
  };

  readonly #onUnopened = (error: unknown): never => {
    this.#listener?.unopened?.(error);
    throw error;
  };

  readonly #onNotice = (notice: unknown): void => {
    this.#listener?.notice(notice);
  };

  readonly #onAcquire = (client: PgClient): void => {
    this.#out.add(client);
    // The pool stops listening now, and its borrower begins to a few microtasks later. What the server sent together with
    // its first ReadyForQuery comes in between: an error that nobody hears would end the process.
    client.on("error", unheard);
    setImmediate(() => client.removeListener("error", unheard));
  };

  readonly #onRelease = (_error: unknown, client: PgClient): void => {
    this.#out.delete(client);
  };

  readonly #onRemove = (client: PgClient): void => {
    this.#connections.delete(client);
    this.#listener?.ended?.();
  };
}

function unheard(): void {}
