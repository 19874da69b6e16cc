/**
 * One test's surroundings: a fresh pool on an empty table, and everything that is to be true when it has been closed.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { database, type Database } from "../../face/database.ts";
import { type Failure, failureOf } from "../../contract/failure.ts";
import type { LifecycleOptions } from "../../store/lifecycle.ts";
import type { Pool } from "../../contract/pool.ts";
import type { Ability, AdapterUnderTest, ConformanceLanguage, ConformanceServer } from "./subject.ts";

/** Longest that anything is awaited, in milliseconds: ten times what a loaded machine needs. */
const LIMIT_MS = 20_000;
/** Longest that closing may take, in milliseconds. */
const CLOSE_MS = 5_000;
/** Longest wait for a connection, in milliseconds, where a test is not about it: a busy machine takes its time to open one. */
const ACQUIRE_MS = 20_000;

/** A test's name, what it needs, and what it does. */
export interface Case {
  readonly name: string;
  readonly needs?: readonly Ability[];
  run(trial: Trial): Promise<void>;
}

export class Trial {
  readonly server: ConformanceServer;
  readonly language: ConformanceLanguage;
  readonly unsendable: readonly unknown[];
  readonly #subject: AdapterUnderTest;
  readonly #opened = new Set<Pool>();
  #pool: Pool | undefined;
  #db: Database | undefined;
  readonly #unhandled: unknown[] = [];

  constructor(subject: AdapterUnderTest, server: ConformanceServer) {
    this.#subject = subject;
    this.server = server;
    this.language = server.language;
    this.unsendable = subject.unsendable ?? [UNSENDABLE];
    process.on("unhandledRejection", this.#onUnhandled);
  }

  /** A pool of two connections. */
  get pool(): Pool {
    return (this.#pool ??= this.make(2));
  }

  get db(): Database {
    return (this.#db ??= database(this.pool));
  }

  /** A pool of its own; it is closed after the test if the test does not. */
  make(max: number, lifecycle: LifecycleOptions = {}, acquireTimeoutMs: number = ACQUIRE_MS): Pool {
    const pool = this.#subject.pool({ max, acquireTimeoutMs, lifecycle });
    this.#opened.add(pool);
    return pool;
  }

  /** A pool of one connection: what is left of a session meets whoever comes next. */
  single(acquireTimeoutMs: number = ACQUIRE_MS): Database {
    return database(this.make(1, {}, acquireTimeoutMs));
  }

  can(ability: Ability): boolean {
    return this.#subject.cannot?.[ability] === undefined;
  }

  admin(text: string, values: readonly unknown[] = []): Promise<readonly Record<string, unknown>[]> {
    return this.server.query(text, values);
  }

  /** The number of the connection that a statement meets. */
  async session(on: Asked = this.db): Promise<number> {
    const [row] = (await on.query(`SELECT ${this.language.session} AS session`)).rows;
    return Number((row as { readonly session?: unknown } | undefined)?.session);
  }

  /** The rows of the table, by their ids. */
  readonly ids = async (): Promise<number[]> => {
    const rows = await this.admin("SELECT id FROM conformance ORDER BY id");
    return rows.map(({ id }) => Number(id));
  };

  /** Resolves when a statement with this mark runs at the server, or no more. */
  running(mark: string, yes = true): Promise<void> {
    return until(`${mark} to run: ${yes}`, async () => (await this.server.runs(mark)) === yes);
  }

  /** Closes what is open, in bounded time; no connection is left, and no rejection that nobody has handled. */
  async end(): Promise<void> {
    try {
      const began = performance.now();
      await Promise.all([...this.#opened].map((pool) => pool.close({ drainMs: 500 })));
      assert.ok(performance.now() - began < CLOSE_MS, "closing took too long");
      await until("no connection to be left", async () => (await this.server.connections()) === 0);
      assert.deepEqual(this.#unhandled, []);
    } finally {
      process.off("unhandledRejection", this.#onUnhandled);
    }
  }

  readonly #onUnhandled = (reason: unknown): void => void this.#unhandled.push(reason);
}

/** Whatever can be asked a question. */
export interface Asked {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** Asks again until the answer is true. */
export async function until(what: string, answer: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  while (!(await answer())) {
    assert.ok(performance.now() < end, `waited in vain for ${what}`);
    await delay(5);
  }
}

/** What a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<Error & { readonly code?: unknown }> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  assert.ok(outcome !== undefined, "expected an error, but the call succeeded");
  return outcome.error as Error;
}

/** What the error means that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<Failure> {
  return failureOf(await errorOf(promise));
}

/** Throws unless `actual` has every property of `expected`, with equal values. */
export function has(actual: unknown, expected: object): void {
  const found = Object.fromEntries(
    Object.keys(expected).map((key) => [key, (actual as Record<string, unknown>)?.[key]]),
  );
  assert.deepEqual(found, { ...expected });
}

/** The rows of an answer without whatever a driver has made them of. */
export function plain(rows: readonly unknown[]): unknown[] {
  return rows.map((row) => (Array.isArray(row) ? [...(row as unknown[])] : { ...(row as object) }));
}

function refuse(): never {
  throw new Error("planted: this value cannot be sent");
}

/** Whatever a driver makes a text of a value with, it comes upon this. */
const UNSENDABLE: unknown = {
  toPostgres: refuse,
  toSqlString: refuse,
  toJSON: refuse,
  toString: refuse,
  valueOf: refuse,
};
