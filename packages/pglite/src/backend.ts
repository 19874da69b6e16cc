/**
 * The one session of a PGlite, and whose turn it is on it. Connections are views of it: statements run one after another,
 * and while one connection has a transaction open, the others wait.
 */
import { PGlite } from "@electric-sql/pglite";
import type { PgliteInstance } from "./types.ts";

/** What is taken away with a connection that was given up. Not what others listen to: that is not one connection's. */
const CLEAN = `CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; SELECT pg_advisory_unlock_all();
  DISCARD PLANS; DISCARD SEQUENCES; DISCARD TEMP`;

/** How long closing waits for a PGlite that is still at work, in milliseconds. */
const CLOSE_MS = 1_000;

export class Backend {
  readonly #make: () => PgliteInstance;
  readonly #ends: boolean;
  #instance: PgliteInstance | undefined;
  // Who runs a statement, or has a transaction open.
  #owner: object | undefined;
  // Somebody gave up while the session was theirs: it is tidied up before others have it.
  #soiled = false;
  #tail: (() => void)[] = [];

  constructor(make: () => PgliteInstance, ends: boolean) {
    this.#make = make;
    this.#ends = ends;
  }

  /** Made with the first call; its start takes a moment. */
  get instance(): PgliteInstance {
    return (this.#instance ??= this.#make());
  }

  get closed(): boolean {
    return this.#instance?.closed === true;
  }

  /**
   * Resolves when the session is there, and nothing of a connection that was given up runs or is open any more. A probe
   * asks PGlite nothing, and so waits for nobody, not even for a start, which may take longer than a probe may: whoever
   * has a statement waits for that. What has not started at all is down.
   */
  async clean(givenUp: AbortSignal, forProbe: boolean): Promise<void> {
    const asker = {};
    const { waitReady } = this.instance;
    if (forProbe) return Promise.race([waitReady, Promise.resolve()]);
    await untilAborted(waitReady, givenUp);
    if (!this.#soiled) return;
    const turn = this.turn(asker);
    try {
      await untilAborted(turn, givenUp);
    } catch (error) {
      void turn.then(() => this.done(asker, true));
      throw error;
    }
    this.done(asker, true);
  }

  /** Waits for the session; whoever has it may go on with it at once. */
  async turn(who: object): Promise<void> {
    while (this.#owner !== undefined && this.#owner !== who) {
      await new Promise<void>((resolve) => this.#tail.push(resolve));
    }
    this.#owner = who;
    if (this.#soiled) await this.#clean();
  }

  /** A statement has ended; `idle`: and no transaction is open. */
  done(who: object, idle: boolean): void {
    if (this.#owner !== who || !idle) return;
    this.#owner = undefined;
    // All of them, since one may have given up.
    for (const next of this.#tail.splice(0)) next();
  }

  /** Somebody is gone for good; `running`: a statement of theirs still runs, and says itself that it is done. */
  left(who: object, running: boolean): void {
    this.#soiled = true;
    if (!running) this.done(who, true);
  }

  async #clean(): Promise<void> {
    this.#soiled = false;
    try {
      if (this.instance.isInTransaction?.() !== false) await this.instance.exec("ROLLBACK");
      await this.instance.exec(CLEAN);
    } catch {
      // Closed, or broken: whoever has the turn hears of it from their own statement.
    }
  }

  async close(): Promise<void> {
    const instance = this.#instance;
    if (!this.#ends || instance === undefined || instance.closed) return;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)));
    await Promise.race([instance.waitReady.then(() => instance.close()).catch(() => undefined), limit]);
    clearTimeout(timer);
  }
}

/** A PGlite of our own. */
export function makePglite(dataDir: string | undefined, options: object): PgliteInstance {
  const instance = new PGlite({ ...(dataDir === undefined ? {} : { dataDir }), ...options });
  // Whoever waits for it hears of it.
  instance.waitReady.catch(() => undefined);
  return instance;
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
