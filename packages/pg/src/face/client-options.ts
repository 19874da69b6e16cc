/** What a client on a stack is told when it is made. */
import { type Database, database, nonNegativeMs, knownOptions } from "@breakwater/core";
import type pg from "pg";
import type { PgSource } from "../config.ts";
import { fromPg } from "../from-pg.ts";
import type { PgConfig } from "../types.ts";
import { identityOf } from "./identity.ts";
import { type AsPgPoolOptions, CALL_OPTIONS } from "./options.ts";
import type { PgStack } from "./pool.ts";

/** Options of a client's face: what may be said of a call is said of each of its statements that go through the stack. */
export type ClientFaceOptions = Omit<AsPgPoolOptions, "keepAfterError" | "clientsThroughStack">;

/** What `new Client()` takes: what `pg.Client` takes, what stands before it, and what the face is told. */
export interface PgClientConfig extends pg.ClientConfig {
  /** The stack. @default the adapter alone, without a limit of connections */
  readonly stack?: PgStack;
  /** Clients of equal configurations share a stack when this is equal, too. @default `stack` itself */
  readonly stackKey?: unknown;
  /** Options of the face. */
  readonly face?: ClientFaceOptions;
}

/** A configuration, read. */
export interface ReadConfig {
  /** What `pg.Client` is made of. */
  readonly own: PgConfig;
  readonly face: ClientFaceOptions;
  /** How long `end()` waits for what runs, in milliseconds. */
  readonly drainMs: number;
  /** Makes the stack before a configuration that has been completed from the environment. */
  readonly stack: (completed: PgConfig) => Database;
  /** Equal for clients that share a stack. */
  readonly key: (completed: PgConfig) => string;
}

/** How many connections clients may have by default: each has one, and how many there are is not ours to say. */
const MAX_CLIENTS = 10_000;

/** What a pool says of its connections, and a client of itself alone: no part of where the stack leads. */
const NOT_SHARED = [
  "types",
  "max",
  "poolSize",
  "min",
  "idleTimeoutMillis",
  "maxUses",
  "maxLifetimeSeconds",
  "allowExitOnIdle",
  "onConnect",
  "verify",
  "log",
  "Client",
  "Promise",
] as const;

/** @throws OptionError when an option of the face is unknown or out of range. */
export function readClientConfig(given: string | PgClientConfig | undefined): ReadConfig {
  const config: PgClientConfig = typeof given === "string" ? { connectionString: given } : (given ?? {});
  const { stack = adapterAlone, stackKey = stack, face = {}, ...own } = config;
  const { drainMs } = knownOptions("client.face", face, FACE_OPTIONS);
  // pg hides the password of a pool's options from copies.
  const { password } = config;
  const whole = { ...own, ...(password === undefined ? {} : { password }) } as PgConfig;
  return {
    own: whole,
    face,
    drainMs: nonNegativeMs("client.face.drainMs", drainMs ?? 1_000),
    stack: (completed) => stack(leadingThere(whole, completed)),
    key: (completed) => identityOf([leadingThere(whole, completed), stackKey]),
  };
}

const FACE_OPTIONS = [...CALL_OPTIONS, "drainMs"] as const;

/** Where a client's configuration leads. A connection string says it all; the environment completes all others. */
function leadingThere(config: PgConfig, completed: PgConfig): PgConfig {
  const there: Record<string, unknown> =
    config.connectionString === undefined ? { ...config, ...completed } : { ...config };
  for (const option of NOT_SHARED) delete there[option];
  return there;
}

function adapterAlone(source: PgSource): Database {
  return database(fromPg(source, { max: MAX_CLIENTS }));
}
