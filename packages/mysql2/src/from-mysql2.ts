/**
 * A Breakwater pool on mysql2.
 */
import {
  ADAPTER_OPTIONS,
  type AdapterOptions,
  checkLifecycle,
  ConnectionStore,
  driverPool,
  flag,
  knownOptions,
  LIFECYCLE_OPTIONS,
  type LifecycleOptions,
  type Pool,
  systemClock,
} from "@breakwater/core";
import { mysql } from "@breakwater/mysql";
import { checkSource, describe, lifecycleOf, type Mysql2Source, queueOf } from "./config.ts";
import { Mysql2Opener, type Mysql2OpenerOptions } from "./opener.ts";

/** How connections live is said here, or in the way of a pool of mysql2 in the configuration; what is said here goes first. */
export interface FromMysql2Options extends AdapterOptions, LifecycleOptions {
  /**
   * Whether the values of a statement travel beside its text, as those of a prepared statement, or are written into the
   * text by mysql2. The former cannot change what the text means, whatever the server's settings; the latter is for what
   * stands between and cannot prepare. @default true
   */
  readonly prepare?: boolean;
}

/**
 * Makes a pool of a connection string or a configuration of `mysql2`. Connects at the first call, unless `start` is
 * `eager`.
 * @throws OptionError when an option is unknown or out of range, or a connection string is malformed.
 */
export function fromMysql2(source: Mysql2Source, options: FromMysql2Options = {}): Pool {
  knownOptions("fromMysql2", options, [...ADAPTER_OPTIONS, ...LIFECYCLE_OPTIONS, "prepare"]);
  const { name, acquireTimeoutMs, maxQueued, statementTimeoutMs, clock, prepare, ...lifecycle } = options;
  checkSource("source", source);
  const adapter = {
    ...queueOf("source", source),
    name: name ?? describe(source),
    ...defined({ acquireTimeoutMs, maxQueued, statementTimeoutMs, clock }),
  };
  const checked = checkLifecycle({ ...lifecycleOf("source", source), ...defined(lifecycle) });
  const opener = { ...checked, name: adapter.name, prepare: flag("prepare", prepare ?? true) };
  const driver = new Mysql2Driver(adapter.name, source, opener, clock ?? systemClock);
  const pool = driverPool(driver, mysql, adapter);
  // Who wants to know waits for `ready()`; a failure is an event, and is tried again.
  if (checked.start === "eager") pool.ready?.().catch(() => undefined);
  return pool;
}

/** What stands at the bottom of a stack on mysql2, by its name in `pool.layers`. */
const MYSQL2_LAYER = "mysql2";

class Mysql2Driver extends ConnectionStore {
  readonly layer: string = MYSQL2_LAYER;

  constructor(
    name: string,
    source: Mysql2Source,
    options: ReturnType<typeof checkLifecycle> & Mysql2OpenerOptions,
    clock: NonNullable<AdapterOptions["clock"]>,
  ) {
    super(new Mysql2Opener(source, options), { ...options, name, clock, validationText: "DO 0", hopeless });
  }
}

/** A wrong password, or a database that there is not, stays so. */
function hopeless(error: unknown): boolean {
  return mysql.judge(error, { phase: "connect", access: "read", inTransaction: false }).retry === "never";
}

function defined<Options extends object>(options: Options): { [Key in keyof Options]?: NonNullable<Options[Key]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
