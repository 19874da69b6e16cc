/**
 * A Breakwater pool on PGlite: PostgreSQL inside the process.
 */
import {
  ADAPTER_OPTIONS,
  type AdapterOptions,
  checkLifecycle,
  type ConnectionOpener,
  ConnectionStore,
  driverPool,
  flag,
  knownOptions,
  type LifecycleOptions,
  OptionError,
  type Pool,
  systemClock,
} from "@breakwater/core";
import { Backend, makePglite } from "./backend.ts";
import { PgliteConnection } from "./connection.ts";
import { pgliteDialect } from "./dialect.ts";
import type { PgliteInstance } from "./types.ts";

/** A PGlite that exists, a folder or address for its data (`memory://` by default), or options to make one with. */
export type PgliteSource = PgliteInstance | string | { readonly dataDir?: string; readonly [option: string]: unknown };

export interface FromPgliteOptions extends AdapterOptions, Pick<LifecycleOptions, "onConnect" | "resetOnRelease"> {
  /**
   * Most connections at once. There is one session: connections take turns, and what one sets the others have as well.
   * More than one is for subscriptions, which hold a connection for as long as they last. @default 1
   */
  readonly max?: number;
  /** Whether `close()` also closes a PGlite that was given. @default true */
  readonly closePglite?: boolean;
}

/** A cold start compiles megabytes of code. */
const START_MS = 60_000;

/**
 * Makes a pool of a PGlite, or of what to make one with; that happens with the first call.
 * @throws OptionError when an option is unknown or out of range, or a PGlite that was given is closed.
 */
export function fromPglite(source: PgliteSource = {}, options: FromPgliteOptions = {}): Pool {
  knownOptions("fromPglite", options, [...ADAPTER_OPTIONS, "onConnect", "resetOnRelease", "max", "closePglite"]);
  const { name = "pglite", clock = systemClock, onConnect, resetOnRelease, max = 1, closePglite, ...limits } = options;
  const ends = flag("closePglite", closePglite ?? true);
  const backend = new Backend(makerOf(source), ends || !isInstance(source));
  const driver = new PgliteDriver(backend, {
    ...checkLifecycle({
      max,
      // A session is not opened and ended: it is there.
      idleTimeoutMs: 0,
      maxLifetimeMs: 0,
      validateAfterIdleMs: 0,
      connectTimeoutMs: START_MS,
      ...(onConnect === undefined ? {} : { onConnect }),
      ...(resetOnRelease === undefined ? {} : { resetOnRelease }),
    }),
    name,
    clock,
    validationText: "SELECT 1",
    hopeless: () => backend.closed,
  });
  return driverPool(driver, pgliteDialect, { acquireTimeoutMs: START_MS, ...limits, name, clock });
}

class PgliteDriver extends ConnectionStore {
  readonly layer: string = "pglite";
  readonly #backend: Backend;

  constructor(backend: Backend, options: ConstructorParameters<typeof ConnectionStore>[1]) {
    const opener: ConnectionOpener = {
      open: async (home, givenUp) => {
        await backend.clean(givenUp, home === undefined);
        return new PgliteConnection(backend, home);
      },
    };
    super(opener, options);
    this.#backend = backend;
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#backend.close();
  }
}

function makerOf(source: PgliteSource): () => PgliteInstance {
  if (isInstance(source)) {
    if (source.closed) throw new OptionError("source", "a PGlite that is closed", "one that is open");
    return () => source;
  }
  if (typeof source === "string") return () => makePglite(source, {});
  if (typeof source !== "object" || source === null || Array.isArray(source))
    throw new OptionError("source", source, "a PGlite, a folder for its data, or options to make one with");
  return () => makePglite(undefined, source);
}

function isInstance(source: PgliteSource): source is PgliteInstance {
  const given = source as Partial<PgliteInstance> | null;
  return (
    typeof given === "object" && given !== null && typeof given.exec === "function" && given.waitReady !== undefined
  );
}
