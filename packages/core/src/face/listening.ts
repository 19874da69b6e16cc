/**
 * Channels of one database, all heard over one connection, which is opened again when it is lost.
 */
import { type Clock, type Random, sleep } from "../waiting/clock.ts";
import type { NotificationTexts } from "../contract/dialect.ts";
import type { DriverNotification } from "../contract/driver.ts";
import { messageOf, PoolClosedError, UsageError } from "../contract/errors.ts";
import type { OperationContext } from "../contract/operation.ts";
import { knownOptions } from "../contract/options.ts";
import type { Pool } from "../contract/pool.ts";
import { type Deferred, deferred } from "./deferred.ts";
import { Line } from "./line.ts";
import { unable } from "./row-stream.ts";

/** What somebody sent to a channel. */
export interface Notification {
  /** Which channel it was sent to. */
  readonly channel: string;
  /** Empty where nothing was said. */
  readonly payload: string;
  /** The server process that sent it. */
  readonly processId: number;
}

/** While nobody listened, notifications may have been sent; nobody will hear them any more. */
export interface NotificationGap {
  /** Which channel nobody heard. */
  readonly channel: string;
  /** How long the connection was known to be lost, in milliseconds. */
  readonly gapMs: number;
  /** What had ended it. */
  readonly error: unknown;
}

/** Options of `listen`. */
export interface ListenOptions {
  /** Called when the channel is heard again after its connection was lost: time to look for what was missed. */
  readonly onGap?: (gap: NotificationGap) => unknown;
  /** Gives up the wait for the first connection. What is heard later is ended by `unlisten()`. */
  readonly signal?: AbortSignal;
}

/** A channel that is listened to. */
export interface Subscription extends AsyncDisposable {
  /** Which channel is heard. */
  readonly channel: string;
  /** Ends it; the last one gives the connection back. Idempotent. */
  unlisten(): Promise<void>;
}

/** What listening needs of the face. */
export interface ListeningHost {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly random: Random;
  context(): OperationContext;
  /** Those that are to be closed; it is among them while somebody listens. */
  readonly open: Set<Listening>;
}

/** Somebody who listens. */
interface Ear {
  readonly channel: string;
  readonly heard: (notification: Notification) => unknown;
  readonly onGap: ((gap: NotificationGap) => unknown) | undefined;
  readonly begun: Deferred<void>;
  // Whether its channel has been listened to; before that it can have missed nothing.
  listening: boolean;
}

/** Pauses between two tries to listen again, in milliseconds: the first, and the longest. Each is drawn from its upper half. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;

export class Listening {
  readonly #host: ListeningHost;
  readonly #ears = new Set<Ear>();
  #line: Line | undefined;
  #running: Promise<void> | undefined;
  #stopped = new AbortController();
  #lost: { readonly at: number; readonly error: unknown } | undefined;
  #closed = false;

  constructor(host: ListeningHost) {
    this.#host = host;
  }

  async listen(
    channel: string,
    heard: (notification: Notification) => unknown,
    options: ListenOptions,
  ): Promise<Subscription> {
    const { name, dialect } = this.#host.pool;
    const { onGap, signal } = knownOptions("listen", options, ["onGap", "signal"]);
    if (dialect.notifications === undefined) throw unable(name, "notifications");
    // What cannot be a channel is told before anybody waits.
    dialect.notifications.listen(channel);
    if (typeof heard !== "function") throw new UsageError(name, "listen() was not given a listener");
    if (onGap !== undefined && typeof onGap !== "function") throw new UsageError(name, "onGap must be a function");
    if (this.#closed) throw new PoolClosedError(name);
    signal?.throwIfAborted();
    const ear: Ear = { channel, heard, onGap, begun: deferred<void>(), listening: false };
    const abort = (): void => ear.begun.reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#ears.add(ear);
    this.#start(dialect.notifications);
    void this.#line?.update();
    try {
      await ear.begun.promise;
    } catch (error) {
      await this.#forget(ear);
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    const unlisten = (): Promise<void> => this.#forget(ear);
    return { channel, unlisten, [Symbol.asyncDispose]: unlisten };
  }

  /** Ends all of it. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { begun } of this.#ears) begun.reject(new PoolClosedError(this.#host.pool.name));
    this.#ears.clear();
    await this.#stop();
  }

  async #forget(ear: Ear): Promise<void> {
    if (!this.#ears.delete(ear)) return;
    if (this.#ears.size === 0) await this.#stop();
    else await this.#line?.update();
  }

  async #stop(): Promise<void> {
    this.#stopped.abort();
    this.#line?.leave();
    this.#line = undefined;
    await this.#running;
  }

  #start(texts: NotificationTexts): void {
    this.#host.open.add(this);
    this.#running ??= this.#run(texts).then(() => {
      this.#running = undefined;
      this.#host.open.delete(this);
      // Somebody may have come while the last one left.
      if (this.#ears.size > 0) this.#start(texts);
    });
  }

  /** Listens, and listens again, until nobody is left. */
  async #run(texts: NotificationTexts): Promise<void> {
    const { clock, random } = this.#host;
    this.#stopped = new AbortController();
    const { signal } = this.#stopped;
    for (let pause = FIRST_PAUSE_MS; this.#ears.size > 0; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
      const error = await this.#once(texts, signal);
      if (signal.aborted) break;
      // It had been listening: the next try is a first one.
      if (this.#lost === undefined) pause = FIRST_PAUSE_MS;
      this.#lost ??= { at: clock.now(), error };
      this.#refuse(error);
      if (this.#ears.size === 0) break;
      await sleep(clock, pause * (0.5 + random() / 2), signal).catch(() => undefined);
    }
    this.#lost = undefined;
  }

  /** Listens as long as one connection lasts, and says why it does not any more. */
  async #once(texts: NotificationTexts, signal: AbortSignal): Promise<unknown> {
    const { pool, clock } = this.#host;
    let line: Line | undefined;
    try {
      await pool.execute<void>({
        ...this.#host.context(),
        kind: "session",
        signal,
        run: (connection) => {
          line = new Line(
            {
              name: pool.name,
              clock,
              texts,
              wanted: () => new Set(Array.from(this.#ears, ({ channel }) => channel)),
              listening: (channels) => this.#begin(channels),
              heard: (notification) => this.#heard(notification),
            },
            connection,
          );
          if (!signal.aborted) this.#line = line;
          return line.run();
        },
      });
      return undefined;
    } catch (error) {
      // Ended from outside, it does not know of it yet.
      line?.lose(error);
      return error;
    } finally {
      if (this.#line === line) this.#line = undefined;
    }
  }

  /** Those who wait for their first connection hear that there is none; those who had one wait for the next. */
  #refuse(error: unknown): void {
    // A part of the stack may be closed and made again: a destination that had to make room.
    const isOver = error instanceof PoolClosedError && error.pool === this.#host.pool.name;
    const forGood = isOver || error instanceof UsageError;
    for (const ear of this.#ears) {
      if (ear.listening && !forGood) continue;
      ear.begun.reject(error);
      this.#ears.delete(ear);
    }
  }

  /** Tells those who come that they are listened for from now on, and the others what they may have missed. */
  #begin(channels: ReadonlySet<string>): void {
    const lost = this.#lost;
    this.#lost = undefined;
    for (const { channel, onGap, listening } of this.#ears) {
      if (lost === undefined || !listening || onGap === undefined || !channels.has(channel)) continue;
      const gapMs = this.#host.clock.now() - lost.at;
      told(() => onGap({ channel, gapMs, error: lost.error }));
    }
    for (const ear of this.#ears) {
      if (!channels.has(ear.channel)) continue;
      ear.listening = true;
      ear.begun.resolve();
    }
  }

  #heard({ channel, payload, processId }: DriverNotification): void {
    for (const { heard, ...ear } of this.#ears) {
      if (ear.channel === channel && ear.listening) told(() => heard({ channel, payload, processId }));
    }
  }
}

/** What a listener's error leads to: a warning, and nothing else. */
function told(call: () => unknown): void {
  const warn = (error: unknown): void => {
    process.emitWarning(`a listener of a channel threw: ${messageOf(error)}`, { code: "BREAKWATER_LISTENER" });
  };
  try {
    const answer: unknown = call();
    if (answer instanceof Promise) answer.catch(warn);
  } catch (error) {
    warn(error);
  }
}
