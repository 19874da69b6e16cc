/**
 * Opens connections of mysql2, one at a time, without a pool of mysql2's.
 */
import type { ConnectionHome, ConnectionOpener, DriverConnection } from "@breakwater/core";
import mysql2 from "mysql2";
import { connectionConfig, type Mysql2Source } from "./config.ts";
import { Mysql2Connection } from "./connection.ts";
import type { Mysql2Client } from "./types.ts";

export interface Mysql2OpenerOptions {
  /** Longest wait for a connection to be ready, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Whether connections that nobody holds keep no process alive. */
  readonly allowExitOnIdle: boolean;
  /** Whether values travel beside the text. */
  readonly prepare: boolean;
  /** The pool's name, for errors. */
  readonly name: string;
}

export class Mysql2Opener implements ConnectionOpener {
  readonly #source: Mysql2Source;
  readonly #options: Mysql2OpenerOptions;

  constructor(source: Mysql2Source, options: Mysql2OpenerOptions) {
    this.#source = source;
    this.#options = options;
  }

  async open(home: ConnectionHome | undefined, givenUp: AbortSignal): Promise<DriverConnection> {
    const { name, prepare, allowExitOnIdle } = this.#options;
    if (givenUp.aborted) throw givenUp.reason;
    const client = this.#client();
    const options = { name, prepare, background: allowExitOnIdle, beside: () => this.#client() };
    const connection = new Mysql2Connection(client, options, home);
    try {
      await connected(client, givenUp);
    } catch (error) {
      client.stream.destroy();
      await connection.gone();
      throw error;
    }
    // A probe must not keep a finished program alive.
    if (home === undefined) client.stream.unref?.();
    return connection;
  }

  #client(): Mysql2Client {
    const config = connectionConfig(this.#source, this.#options.connectTimeoutMs);
    return mysql2.createConnection(config) as unknown as Mysql2Client;
  }
}

function connected(client: Mysql2Client, givenUp: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      client.stream.destroy();
      reject(givenUp.reason as Error);
    };
    givenUp.addEventListener("abort", giveUp, { once: true });
    client.connect((error) => {
      givenUp.removeEventListener("abort", giveUp);
      if (error) reject(error);
      else resolve();
    });
  });
}
