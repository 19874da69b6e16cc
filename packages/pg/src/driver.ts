/**
 * The connections of one server, on clients of `pg` of its own.
 */
import {
  type Clock,
  ConnectionStore,
  type Dialect,
  type DriverConnection,
  type Events,
  type Lifecycle,
  type OnConnect,
  type Pipelining,
} from "@breakwater/core";
import { type Pooler, postgres } from "@breakwater/postgres";
import type { PgConnection } from "./connection.ts";
import "./events.ts";
import { keptByHolder } from "./held.ts";
import { PgOpener } from "./opener.ts";
import type { PgClient, PgConfig } from "./types.ts";
import { pipelining, type WireOptions } from "./wire/options.ts";
import { Texts } from "./wire/texts.ts";

/** What stands at the bottom of a stack on `pg`, by its name in `pool.layers`. */
export const PG_LAYER = "pg";

/**
 * Where connections may be idle for no longer than this, in milliseconds, reads share none: a shared one goes back a moment
 * after its answer, and then would end later than whoever has the answer can expect.
 */
const BRIEF_MS = 10;

export class PgDriver extends ConnectionStore {
  readonly layer: string = PG_LAYER;
  readonly pipelining: Pipelining | undefined;
  readonly dialect: Dialect;
  readonly #opener: PgOpener;
  #tell: { readonly events: Events; readonly pool: string } | undefined;

  constructor(
    name: string,
    config: PgConfig,
    lifecycle: Lifecycle,
    wire: WireOptions,
    clock: Clock,
    pooler: (found: (keeps: boolean) => void) => Pooler,
  ) {
    const texts = new Texts(wire.prepare);
    const opener = new PgOpener(config, lifecycle, texts);
    const between = pooler((keeps) => texts.pooled(keeps));
    const processId = (connection: DriverConnection): number | undefined =>
      (connection as PgConnection).driver.processID ?? undefined;
    const { connectTimeoutMs } = lifecycle;
    super(between.opener(opener, name, processId, { clock, connectTimeoutMs }), {
      ...lifecycle,
      name,
      clock,
      validationText: "SELECT 1",
      onConnect: preparing(config, lifecycle.onConnect),
      hopeless,
    });
    this.#opener = opener;
    this.dialect = between.dialect;
    const brief = lifecycle.idleTimeoutMs > 0 && lifecycle.idleTimeoutMs <= BRIEF_MS;
    const shared = brief ? undefined : pipelining(wire, texts);
    // What shares connections is sent past the pooler's view of where one statement ends.
    this.pipelining =
      shared === undefined ? undefined : { ...shared, fits: (one) => !between.shares && shared.fits(one) };
  }

  held(client: unknown): DriverConnection | undefined {
    const connection = this.#opener.connectionOf(client as PgClient);
    return connection?.held === true && connection.usable ? keptByHolder(connection) : undefined;
  }

  /** Lets the listeners of a stack hear what those of a `pg.Pool` do. */
  tell(events: Events, pool: string): void {
    this.#tell = { events, pool };
  }

  protected override opened(connection: DriverConnection): void {
    if (this.#tell === undefined) return;
    const { events, pool } = this.#tell;
    const client = (connection as PgConnection).driver;
    client.on("end", () => events.emit("pg:removed", { pool, client }));
    events.emit("pg:connected", { pool, client });
  }

  protected override died({ driver: client }: DriverConnection, error: unknown): void {
    if (this.#tell === undefined) return;
    const { events, pool } = this.#tell;
    // Where pg's own pool tells of it, the error names its client.
    if (error instanceof Error) Object.assign(error, { client });
    events.emit("pg:lost", { pool, client, error });
  }
}

/** What a configuration of `pg.Pool` has done to new clients comes before what our own option asks for. */
function preparing(config: PgConfig, own: OnConnect | undefined): OnConnect | undefined {
  const { onConnect, verify } = config;
  const asPg = typeof onConnect === "function" || typeof verify === "function";
  if (!asPg) return own;
  return async (connection, again) => {
    if (!again && typeof onConnect === "function") await onConnect(connection.driver);
    if (!again && typeof verify === "function") {
      await new Promise<void>((resolve, reject) => {
        verify(connection.driver, (error?: unknown) => (error ? reject(error) : resolve()));
      });
    }
    await own?.(connection, again);
  };
}

/** A wrong password, or a database that there is not, stays so. */
function hopeless(error: unknown): boolean {
  return postgres.judge(error, { phase: "connect", access: "read", inTransaction: false }).retry === "never";
}
