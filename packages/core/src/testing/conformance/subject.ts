/**
 * What the conformance suite must be told: the adapter, the server that it speaks to, and how that server is spoken to.
 */
import type { LifecycleOptions } from "../../store/lifecycle.ts";
import type { Pool } from "../../contract/pool.ts";

/** What not every adapter, or not every database, can do. */
export type Ability =
  /** Have more than one connection at once, and one more for probes. */
  | "many-connections"
  /** Stop a statement that runs, here and at the server. */
  | "cancel"
  /** Lose a connection: the server can end it. */
  | "lost-connections"
  /** Say how its connections live. */
  | "lifecycle"
  /** Prepare statements under a name. */
  | "names"
  /** Take several statements in one text. */
  | "several-statements"
  /** An error fails the transaction that it happens in, not the statement alone. */
  | "failed-transactions"
  /** The server limits a transaction's statements in time. */
  | "server-limits";

/** How the suite says things to the database. */
export interface ConformanceLanguage {
  /** The n-th value of a statement, from 1, taken for a whole number. */
  readonly integer: (n: number) => string;
  /** The same for a text. */
  readonly string: (n: number) => string;
  /** The n-th value where its type is known from the place. */
  readonly value: (n: number) => string;
  /** An expression: the number by which the server knows the connection. */
  readonly session: string;
  /** A read that sleeps. The mark stands in it as a comment: it may hold nothing but letters. */
  readonly sleep: (seconds: number, mark: string) => string;
  /** A write that sleeps before it inserts the id 1 into the table `conformance`. */
  readonly sleepAndInsert: (seconds: number, mark: string) => string;
  /** `code` of the error of a second row with the same key. */
  readonly duplicateCode: string;
  /** `code` of the error of a text that makes no sense. */
  readonly syntaxCode: string;
  /** Sets something that lasts as long as the session. */
  readonly setMark: (value: string) => string;
  /** Reads what `setMark` has set, as the column `mark`. */
  readonly readMark: string;
  /** Takes away what the session has prepared; left out where there is no such statement. */
  readonly forgetPrepared?: string;
  /** Makes the table `deferred` with an `id` that may not be there twice, which is asked when a statement has ended; left out where nothing is. */
  readonly createDeferred?: string;
  /** Reads the limit of a statement in milliseconds as the column `t`, and sets the one of new connections. */
  readonly limit?: { readonly read: string; readonly setDefault: (ms: number | undefined) => string };
}

/** The server, as an administrator sees it who does not go through the adapter under test. */
export interface ConformanceServer {
  /** How the database says it. */
  readonly language: ConformanceLanguage;
  /** Runs one statement and resolves with its rows. */
  query(text: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  /** How many connections the pools under test have now. */
  connections(): Promise<number>;
  /** Whether a statement with this mark runs now. */
  runs(mark: string): Promise<boolean>;
  /** Ends the connections of the pools under test: all, or those that run a statement with this mark. */
  terminate(mark?: string): Promise<void>;
}

/** What a pool under test is made with. */
export interface PoolRequest {
  /** Most connections. */
  readonly max: number;
  /** How long a call may wait for a connection, in milliseconds. */
  readonly acquireTimeoutMs: number;
  /** Nothing, for an adapter that does not say how its connections live. */
  readonly lifecycle: LifecycleOptions;
}

/** An adapter, ready to be tested. */
export interface AdapterUnderTest {
  /** Called before each test; starts the server at most once. Whoever starts it ends it. */
  server(): ConformanceServer | Promise<ConformanceServer>;
  /** Makes a pool. What it says of `max` counts for nothing without the ability `many-connections`. */
  pool(request: PoolRequest): Pool;
  /** What it cannot do, each with the reason: those tests are skipped, and say why. */
  readonly cannot?: Partial<Readonly<Record<Ability, string>>>;
  /** Values that the driver cannot send. @default an object that refuses to become a text in any way */
  readonly unsendable?: readonly unknown[];
}

/** One test, for any runner. */
export interface ConformanceTest {
  /** Ends the sentence that the suite begins. */
  readonly name: string;
  /** Why it does not hold for this adapter; undefined when it does. */
  readonly skipped: string | undefined;
  /** Runs it; rejects when it does not hold. */
  readonly run: () => Promise<void>;
}
