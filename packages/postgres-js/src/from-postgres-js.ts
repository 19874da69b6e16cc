/**
 * A Breakwater pool on postgres.js.
 */
import {
  ADAPTER_OPTIONS,
  type AdapterOptions,
  checkLifecycle,
  ConnectionStore,
  type DriverConnection,
  driverPool,
  knownOptions,
  LIFECYCLE_OPTIONS,
  type LifecycleOptions,
  OptionError,
  type Pool,
  systemClock,
} from "@breakwater/core";
import { Pooler, type PoolerOption, postgres } from "@breakwater/postgres";
import { describe, type PostgresJsSource, readSource } from "./config.ts";
import type { PostgresJsConnection } from "./connection.ts";
import { PostgresJsOpener } from "./opener.ts";
import { type PrepareOption, Uses } from "./prepared.ts";

/** How connections live is said here, or in the way of postgres.js in its configuration; what is said here goes first. */
export interface FromPostgresJsOptions extends AdapterOptions, LifecycleOptions {
  /**
   * Whether statements with values are prepared: always, never, or from their second use on (`auto`). False where the
   * configuration says `prepare: false`. @default "auto"
   */
  readonly prepare?: PrepareOption;
  /**
   * Whether a pooler such as PgBouncer stands in front of the server. In transaction mode nothing is prepared, and what
   * lasts as long as a session is refused. `auto` finds out with the first connection. @default "auto"
   */
  readonly pooler?: PoolerOption;
}

/**
 * Makes a pool of a connection string, a configuration of postgres.js, or of the options of an instance that exists, whose
 * own connections stay its own. Connects at the first call, unless `start` is `eager`.
 * @throws OptionError when an option is unknown or out of range, a connection string is malformed, or a source names
 * several servers.
 */
export function fromPostgresJs(source: PostgresJsSource, options: FromPostgresJsOptions = {}): Pool {
  knownOptions("fromPostgresJs", options, [...ADAPTER_OPTIONS, ...LIFECYCLE_OPTIONS, "prepare", "pooler"]);
  const {
    name,
    acquireTimeoutMs,
    maxQueued,
    statementTimeoutMs,
    clock = systemClock,
    prepare,
    pooler,
    ...own
  } = options;
  const { options: read, lifecycle: said } = readSource(source);
  const adapter = {
    name: name ?? describe(read),
    ...defined({ acquireTimeoutMs, maxQueued, statementTimeoutMs }),
    clock,
  };
  const lifecycle = checkLifecycle({ ...said, ...defined(own) });
  const { connectTimeoutMs, allowExitOnIdle } = lifecycle;
  const uses = new Uses(checkPrepare(prepare ?? (read.prepare === false ? false : "auto")));
  const opener = new PostgresJsOpener(read, { connectTimeoutMs, allowExitOnIdle, clock }, uses);
  // Also behind one that keeps what is prepared: postgres.js asks for the columns of a statement once, and there they may
  // be others on the next server.
  const between = new Pooler(pooler, { found: () => uses.giveUp() });
  if (between.shares) uses.giveUp();
  const processId = (connection: DriverConnection): number | undefined =>
    (connection as PostgresJsConnection).processId;
  const driver = new ConnectionStore(between.opener(opener, adapter.name, processId, { clock, connectTimeoutMs }), {
    ...lifecycle,
    name: adapter.name,
    clock,
    validationText: "SELECT 1",
    hopeless,
  });
  const pool = driverPool(driver, between.dialect, adapter);
  // Who wants to know waits for `ready()`; a failure is an event, and is tried again.
  if (lifecycle.start === "eager") pool.ready?.().catch(() => undefined);
  return pool;
}

function checkPrepare(prepare: PrepareOption): PrepareOption {
  if (prepare !== true && prepare !== false && prepare !== "auto")
    throw new OptionError("prepare", prepare, 'true, false or "auto"');
  return prepare;
}

/** A wrong password, or a database that there is not, stays so. */
function hopeless(error: unknown): boolean {
  return postgres.judge(error, { phase: "connect", access: "read", inTransaction: false }).retry === "never";
}

function defined<Options extends object>(options: Options): { [Key in keyof Options]?: NonNullable<Options[Key]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
