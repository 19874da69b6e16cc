/**
 * Opens connections of postgres.js, one at a time: each an instance of its own, with the link that it has for life.
 */
import type { Clock, ConnectionHome, ConnectionOpener, DriverConnection } from "@breakwater/core";
import postgres from "postgres";
import { PostgresJsConnection } from "./connection.ts";
import { linkError, openLink } from "./link.ts";
import { Prepared, type Uses } from "./prepared.ts";
import type { Link, ReadOptions, SqlInstance } from "./types.ts";
import { Wire } from "./wire.ts";

/** How connections are opened. */
export interface OpenerOptions {
  /** Longest wait for a connection to be ready, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Whether connections that nobody holds keep no process alive. */
  readonly allowExitOnIdle: boolean;
  readonly clock: Clock;
}

export class PostgresJsOpener implements ConnectionOpener {
  readonly #options: ReadOptions;
  readonly #how: OpenerOptions;
  readonly #uses: Uses;
  // The types of arrays are the same for all connections, and kept where all of them look.
  #typesKnown: boolean;

  constructor(options: ReadOptions, how: OpenerOptions, uses: Uses) {
    this.#options = options;
    this.#how = how;
    this.#uses = uses;
    this.#typesKnown = options.fetch_types === false;
  }

  async open(home: ConnectionHome | undefined, givenUp: AbortSignal): Promise<DriverConnection> {
    const limit = new AbortController();
    const giveUp = (): void => limit.abort(givenUp.reason);
    const timer = this.#how.clock.setTimer(this.#how.connectTimeoutMs, () =>
      limit.abort(linkError("CONNECT_TIMEOUT", this.#options)),
    );
    givenUp.addEventListener("abort", giveUp, { once: true });
    if (givenUp.aborted) giveUp();
    try {
      const link = await openLink(this.#options, limit.signal);
      return await this.#start(link, home, limit.signal);
    } finally {
      timer.cancel();
      givenUp.removeEventListener("abort", giveUp);
    }
  }

  async #start(link: Link, home: ConnectionHome | undefined, givenUp: AbortSignal): Promise<DriverConnection> {
    const wire = new Wire(link);
    const sql = this.#instance(link, home);
    const background = home === undefined || this.#how.allowExitOnIdle;
    const parts = { sql, link, wire, prepared: new Prepared(this.#uses), options: this.#options, background };
    const connection = new PostgresJsConnection(parts, home);
    const cut = (): void => void link.destroy();
    givenUp.addEventListener("abort", cut, { once: true });
    try {
      // postgres.js connects with its first query; an empty one is the least that it can be asked. It comes to the link only
      // a turn later: of one that is lost by then it would never hear.
      const lost = endOf(link, this.#options);
      await Promise.race([sql.unsafe(""), lost]);
      this.#typesKnown = true;
      // A probe must not keep a finished program alive.
      if (home === undefined) link.unref?.();
      return connection;
    } catch (error) {
      link.destroy();
      throw givenUp.aborted ? givenUp.reason : error;
    } finally {
      givenUp.removeEventListener("abort", cut);
    }
  }

  #instance(link: Link, home: ConnectionHome | undefined): SqlInstance {
    let given = false;
    const { onnotice, prepare } = this.#options;
    // Options that postgres.js has read once it takes as they are, and with them what all connections share.
    const options = {
      ...this.#options,
      parameters: {},
      max: 1,
      ssl: false,
      prepare: prepare !== false && this.#uses.may,
      fetch_types: !this.#typesKnown,
      idle_timeout: 0,
      max_lifetime: 0,
      connect_timeout: 0,
      onclose: undefined,
      onnotice: (notice: unknown) => {
        home?.notice(notice);
        onnotice?.(notice);
      },
      // When its link is lost, postgres.js asks for another, and would send over it whatever it still had to send.
      socket: () => {
        if (given) throw linkError("CONNECTION_CLOSED", this.#options);
        given = true;
        return link;
      },
    };
    return postgres(options as object) as unknown as SqlInstance;
  }
}

/** Rejects when the link is lost; what the server or the system said comes first, where postgres.js has heard it. */
function endOf(link: Link, options: ReadOptions): Promise<never> {
  const end = new Promise<never>((_, reject) => {
    let failure: Error | undefined;
    link.once("error", (error) => (failure = error));
    // What postgres.js makes of it is told in the same turn, by the driver's own listeners and their promises.
    link.once("close", () => setImmediate(() => reject(failure ?? linkError("CONNECTION_CLOSED", options))));
  });
  end.catch(() => undefined);
  return end;
}
