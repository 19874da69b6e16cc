/**
 * The module `pg` with `Pool` and `Client` replaced: for code that says `import { Pool } from "pg"`, and for libraries
 * that are given a driver module.
 */
import pg from "pg";
import type { BreakwaterOptions } from "./breakwater.ts";
import { type ClientConfig, Client } from "./pg-client.ts";
import { Pool, type PoolConfig } from "./pg-pool.ts";

export * from "pg";
export { Client, type ClientConfig } from "./pg-client.ts";
export { Pool, type PoolConfig } from "./pg-pool.ts";

/** The module `pg`, with a stack behind its pools and clients. */
export type DriverModule = Omit<typeof pg, "Pool" | "Client"> & {
  readonly Pool: typeof Pool;
  readonly Client: typeof Client;
};

/** What the pools and clients of a driver module are made with, beside what a library says. */
export interface DriverModuleOptions {
  /** Options of the stack: replicas, limits, policies. */
  readonly breakwater?: Omit<BreakwaterOptions, "primary">;
  /** Options of the faces of pools. Those of clients are the same, but for the two that only a pool has. */
  readonly face?: PoolConfig["face"];
}

/**
 * Makes a driver module whose pools and clients have these options: for libraries that take a module, and pass on to it
 * only what they know.
 */
export function driverModule({ breakwater, face }: DriverModuleOptions = {}): DriverModule {
  const stack = breakwater === undefined ? {} : { breakwater };
  const { keepAfterError: _kept, clientsThroughStack: _through, ...ofClient } = face ?? {};
  const poolFace = face === undefined ? {} : { face };

  class ModulePool extends Pool {
    static {
      // There are libraries that tell a pool from a client by this.
      Object.defineProperty(this, "name", { value: "Pool" });
    }

    constructor(config?: PoolConfig) {
      super({ ...stack, ...poolFace, ...config, ...password(config) });
    }
  }

  class ModuleClient extends Client {
    static {
      // There are libraries that tell a pool from a client by this.
      Object.defineProperty(this, "name", { value: "Client" });
    }

    constructor(given?: string | ClientConfig) {
      const config = typeof given === "string" ? { connectionString: given } : given;
      super({ ...stack, ...(face === undefined ? {} : { face: ofClient }), ...config, ...password(config) });
    }
  }

  return moduleOf({ Pool: ModulePool, Client: ModuleClient });
}

/** Everything that `pg` has as properties of its own, so that a copy of it is whole, too. */
function moduleOf(faces: { readonly Pool: typeof Pool; readonly Client: typeof Client }): DriverModule {
  return Object.create(Object.getPrototypeOf(pg) as object, {
    ...Object.getOwnPropertyDescriptors(pg),
    ...Object.getOwnPropertyDescriptors(faces),
  }) as DriverModule;
}

/** pg hides the password of a pool's options from copies. */
function password(config: ClientConfig | undefined): Pick<ClientConfig, "password"> {
  return config?.password === undefined ? {} : { password: config.password };
}

/** The module as one object, which is what `import pg from "pg"` gives. */
const driver: DriverModule = moduleOf({ Pool, Client });

// oxlint-disable-next-line import/no-default-export -- `pg` has one, and this stands in its place
export default driver;

// What `require("breakwater/pg")` gives: all of it, also what `pg` has under no name of its own.
export { driver as "module.exports" };
