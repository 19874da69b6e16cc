/**
 * Opens clients of `pg`, one at a time, without a `pg.Pool`.
 */
import type { ConnectionHome, ConnectionOpener, DriverConnection } from "@breakwater/core";
import pg from "pg";
import type { ClientHome } from "./client-home.ts";
import { PgConnection } from "./connection.ts";
import { askForPassword } from "./password.ts";
import type { PgClient, PgConfig } from "./types.ts";
import { WireLink } from "./wire/link.ts";
import type { Texts } from "./wire/texts.ts";

/** How clients are opened. */
export interface PgOpenerOptions {
  /** Longest wait for a client to be ready, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Whether clients that nobody holds keep no process alive. */
  readonly allowExitOnIdle: boolean;
  /** Most calls that one client serves; 0 for no limit. */
  readonly maxUses: number;
}

export class PgOpener implements ConnectionOpener {
  readonly #config: PgConfig;
  readonly #options: PgOpenerOptions;
  readonly #texts: Texts;
  readonly #connections = new WeakMap<PgClient, PgConnection>();

  constructor(config: PgConfig, options: PgOpenerOptions, texts: Texts) {
    this.#config = config;
    this.#options = options;
    this.#texts = texts;
  }

  /** The connection of a client that was opened here for a home. */
  connectionOf(client: PgClient): PgConnection | undefined {
    return this.#connections.get(client);
  }

  async open(home: ConnectionHome | undefined, givenUp: AbortSignal): Promise<DriverConnection> {
    const client = this.#client();
    const connection = home === undefined ? new PgConnection(client) : this.#atHome(client, home);
    this.#log("connecting new client");
    try {
      await connected(client, givenUp);
    } catch (error) {
      this.#log("client failed to connect");
      // pg leaves the link open when it was the client that could not go on.
      client.connection?.stream?.destroy();
      if (givenUp.aborted) await connection.gone();
      throw error;
    }
    this.#log("new client connected");
    // A probe must not keep a finished program alive.
    if (home === undefined) client.unref?.();
    return connection;
  }

  /** The configuration is read anew for each client, and so is a password that is a function. */
  #client(): PgClient {
    const Client = (this.#config["Client"] ?? pg.Client) as new (config: object) => PgClient;
    // pg hides the password of a pool's own options from copies.
    const { password, connectionTimeoutMillis } = this.#config;
    const client = new Client({
      ...this.#config,
      ...(password === undefined ? {} : { password }),
      connectionTimeoutMillis: connectionTimeoutMillis || this.#options.connectTimeoutMs,
    });
    askForPassword(client, this.#config);
    return client;
  }

  #atHome(client: PgClient, home: ConnectionHome): PgConnection {
    const end = (): void => void client.end().catch(() => undefined);
    // It is given back once before its first use, when it is open.
    let uses = -1;
    // Code that is lent a client of a pool may release it past us: it stays where it is until its call ends.
    const release = (destroy?: boolean): void => {
      if (destroy) connection.retired = true;
    };
    const homeOfClient: ClientHome = {
      giveBack: (destroy) => {
        if (!destroy) {
          uses += 1;
          if (uses > 0 && uses === this.#options.maxUses) this.#log("remove expended client");
          return home.released(connection);
        }
        end();
        this.#log("remove client");
        home.gone(connection);
      },
      lost: (error) => {
        end();
        home.lost(connection, error);
      },
      // Whoever had it may have put a function of its own in this place.
      lent: () => {
        (client as { release: PgClient["release"] }).release = release;
      },
      background: this.#options.allowExitOnIdle,
    };
    const connection = new PgConnection(
      client,
      homeOfClient,
      WireLink.of(client, this.#texts, this.#config["stream"] === undefined),
    );
    client.on("notice", (notice) => home.notice(notice));
    this.#connections.set(client, connection);
    return connection;
  }

  #log(message: string): void {
    const { log } = this.#config;
    if (typeof log === "function") log(message);
  }
}

/** Connects, or rejects at once when the attempt is given up: not every stream tells that it has been destroyed. */
function connected(client: PgClient, givenUp: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      client.connection?.stream?.destroy();
      reject(givenUp.reason as Error);
    };
    if (givenUp.aborted) {
      giveUp();
      return;
    }
    givenUp.addEventListener("abort", giveUp, { once: true });
    // As pg's own pool connects: what others have put in the place of `connect` may know no other way.
    client.connect((error) => {
      givenUp.removeEventListener("abort", giveUp);
      if (error) reject(error);
      else resolve();
    });
  });
}
