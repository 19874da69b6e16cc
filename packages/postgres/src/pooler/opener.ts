/**
 * What stands between an adapter and its server: told, or found out with the first connection.
 */
import { randomUUID } from "node:crypto";
import {
  bounded,
  type Clock,
  type ConnectionHome,
  type ConnectionOpener,
  type Dialect,
  type DriverConnection,
  oneOf,
  TimeoutError,
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

/**
 * Whether the server knows a prepared statement by the name that it was given. A pooler that keeps what its clients prepare
 * gives names of its own; one that does not passes it on, to whichever server comes next.
 */
const KEPT = "SELECT count(*)::text AS known FROM pg_catalog.pg_prepared_statements WHERE name = $1";

/** What an adapter wants to know. */
export interface PoolerQuestions {
  /**
   * Called when a pooler in transaction mode is found: whether it `keeps` what is prepared through it, for each client and
   * on whatever server it gives out.
   */
  readonly found: (keeps: boolean) => void;
  /** Whether to ask if it keeps what is prepared; else it is taken for one that does not. @default false */
  readonly prepares?: boolean;
}

/** How long it may take to find out. */
export interface PoolerLimits {
  /** Source of the time. */
  readonly clock: Clock;
  /** Longest that the questions may take on a new connection, in milliseconds. */
  readonly connectTimeoutMs: number;
}

/** Knows whether the connections of one pool come from a pooler, which hands its server connections around. */
export class Pooler {
  readonly #questions: PoolerQuestions;
  // Undefined before anybody has looked.
  #shares: boolean | undefined;
  // Whether it has been told what was found.
  #told = false;

  /** `questions` say who hears what is found. @throws OptionError when `option` is none of the four words. */
  constructor(option: PoolerOption = "auto", questions: PoolerQuestions = { found: () => undefined }) {
    const how = oneOf("pooler", option, ["transaction", "session", "none", "auto"]);
    this.#questions = questions;
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
    { clock, connectTimeoutMs }: PoolerLimits,
  ): ConnectionOpener {
    if (this.#shares === false) return inner;
    const onLimit = (): Error => tooSlow(pool, connectTimeoutMs);
    return {
      open: async (home, givenUp) => {
        const place: { outer?: DriverConnection } = {};
        const connection = await inner.open(home === undefined ? undefined : homeOf(home, place), givenUp);
        try {
          if (this.#asks) {
            const limits = { clock, limit: clock.now() + connectTimeoutMs, signal: givenUp, onLimit };
            await bounded(this.#find(connection, processId), limits);
          }
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

  get #asks(): boolean {
    return this.#shares === undefined || (this.#shares && !this.#told);
  }

  async #find(
    connection: DriverConnection,
    processId: (connection: DriverConnection) => number | undefined,
  ): Promise<void> {
    await this.#look(connection, processId);
    if (this.shares) await this.#ask(connection);
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
  }

  async #ask(connection: DriverConnection): Promise<void> {
    if (this.#told) return;
    const { found, prepares = false } = this.#questions;
    const keeps = prepares && (await keepsPrepared(connection));
    if (this.#told) return;
    this.#told = true;
    found(keeps);
  }
}

function tooSlow(pool: string, limitMs: number): TimeoutError {
  const reason = `the first question took longer than ${limitMs} ms`;
  const failure = { phase: "connect", effect: "none", retry: "other-node", blames: "node" } as const;
  return new TimeoutError(pool, reason, { ...failure, connection: "destroy", reason });
}

/** Whether a pooler keeps what is prepared. Where it does not, what was prepared on its server is taken back. */
async function keepsPrepared(connection: DriverConnection): Promise<boolean> {
  // On servers that are mixed up, no other client must have given the same name.
  const name = `breakwater_${randomUUID()}`;
  try {
    // One server from here to the end.
    await connection.query({ text: "BEGIN" });
    const { rows } = await connection.query<{ known: string }>({ name, text: KEPT, values: [name] });
    const known = rows[0]?.known;
    if (known === "1") await connection.query({ text: `DEALLOCATE "${name}"` });
    await connection.query({ text: "COMMIT" });
    return known === "0";
  } catch (error) {
    if (!connection.usable) throw error;
    await connection.query({ text: "ROLLBACK" });
    return false;
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
