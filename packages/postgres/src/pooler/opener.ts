/**
 * What stands between an adapter and its server: told, or found out with the first connection.
 */
import {
  type ConnectionHome,
  type ConnectionOpener,
  type Dialect,
  type DriverConnection,
  oneOf,
} from "@breakwater/core";
import { postgres } from "../dialect.ts";
import { PooledConnection } from "./connection.ts";
import { pooledDialect } from "./dialect.ts";

/**
 * Whether a pooler such as PgBouncer stands in front of the server, and gives out server connections for a transaction or
 * for a session. `auto` asks with the first connection, and takes one that it finds for one in transaction mode.
 */
export type PoolerOption = "transaction" | "session" | "none" | "auto";

/** It begins with a comment so that no adapter takes it for a statement that is worth to be prepared. */
const LOOK = "/* who is it? */ SELECT pg_backend_pid()::text AS pid";

/** Knows whether the connections of one pool come from a pooler, which hands its server connections around. */
export class Pooler {
  readonly #found: () => void;
  // Undefined before anybody has looked.
  #shares: boolean | undefined;

  /** `found` is called when one is found out. @throws OptionError when the option is none. */
  constructor(option: PoolerOption = "auto", found: () => void = () => undefined) {
    const how = oneOf("pooler", option, ["transaction", "session", "none", "auto"]);
    this.#found = found;
    this.#shares = how === "auto" ? undefined : how === "transaction";
  }

  /** Whether a connection's server connection may be another one in its next transaction. */
  get shares(): boolean {
    return this.#shares === true;
  }

  /** The dialect of its pool. */
  get dialect(): Dialect {
    return this.#shares === false ? postgres : pooledDialect(() => this.shares);
  }

  /**
   * Opens connections that cannot be used for what a session would have to last. `processId` is the number that the other
   * side of the link gave for itself when the connection began.
   */
  opener(
    inner: ConnectionOpener,
    pool: string,
    processId: (connection: DriverConnection) => number | undefined,
  ): ConnectionOpener {
    if (this.#shares === false) return inner;
    return {
      open: async (home, givenUp) => {
        const place: { outer?: DriverConnection } = {};
        const connection = await inner.open(home === undefined ? undefined : homeOf(home, place), givenUp);
        try {
          await this.#look(connection, processId);
        } catch (error) {
          await connection.destroy(false);
          throw error;
        }
        const outer = this.shares ? new PooledConnection(connection, pool) : connection;
        place.outer = outer;
        return outer;
      },
    };
  }

  /** A pooler gives its clients numbers of its own (PgBouncer's client.c: a random cancel key), the server its process. */
  async #look(
    connection: DriverConnection,
    processId: (connection: DriverConnection) => number | undefined,
  ): Promise<void> {
    if (this.#shares !== undefined) return;
    const said = processId(connection);
    if (said === undefined) return;
    const { rows } = await connection.query<{ pid: string }>({ text: LOOK });
    // Several may have looked at the same time.
    if (this.#shares !== undefined) return;
    this.#shares = Number(rows[0]?.pid) !== said;
    if (this.#shares) this.#found();
  }
}

/** What comes home is the connection as it was handed out. */
function homeOf(home: ConnectionHome, place: { readonly outer?: DriverConnection }): ConnectionHome {
  return {
    released: (connection) => home.released(place.outer ?? connection),
    gone: (connection) => home.gone(place.outer ?? connection),
    lost: (connection, error) => home.lost(place.outer ?? connection, error),
    notice: (notice) => home.notice(notice),
  };
}
