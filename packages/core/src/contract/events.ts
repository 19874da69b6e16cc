/**
 * The typed bus of a stack, on eventemitter3. No listener can break a call by throwing.
 */
import { EventEmitter } from "eventemitter3";
import { channelOf } from "../trace/diagnostics.ts";
import { messageOf } from "./errors.ts";

/**
 * Every event by name, with its one argument. Policies add theirs by declaration merging:
 * `declare module "@breakwater/core" { interface EventMap { "retry:scheduled": RetryScheduled } }`.
 */
export interface EventMap {
  /** A connection died while it was idle. The next call opens a new one. */
  "connection:lost": { readonly pool: string; readonly error: unknown };
  /** A connection has been opened, and is ready. `tookMs` is undefined where somebody else's pool opened it. */
  "connection:opened": { readonly pool: string; readonly tookMs: number | undefined };
  /**
   * A call has ended that asked for a connection: how long it waited, and how long it held its connection, undefined when
   * it went away without one. Told of every call, and only where somebody listens.
   */
  "connection:used": { readonly pool: string; readonly waitedMs: number; readonly heldMs: number | undefined };
  /** A call went away without a connection because none became free, or could be opened, in time. */
  "connection:timed-out": { readonly pool: string; readonly phase: "acquire" | "connect" };
  /** A connection could not be opened, for a call or in the background to have the connections that are to be kept. */
  "connection:failed": { readonly pool: string; readonly error: unknown };
  /**
   * A connection was given back inside a transaction by the call of that label; it was rolled back before anyone else
   * could get it.
   */
  "connection:open-transaction": { readonly pool: string; readonly label: string | undefined };
  /** The server sent a notice or warning. */
  "connection:notice": { readonly pool: string; readonly notice: unknown };
  /** A write is committed on its node but confirmed by no synchronous standby: a failover may lose it. It is not run again. */
  "transaction:not-replicated": { readonly pool: string; readonly notice: unknown };
  /** Whatever ran on a node was ended, and its connections are not used again. */
  "pool:interrupted": { readonly pool: string; readonly reason: Error; readonly calls: number };
  /** A pool has been closed, and nothing runs on it any more. A router tells of itself and, as they end, of its nodes. */
  "pool:closed": { readonly pool: string };
  /** Options of a policy were changed while it works: its control's name in the stack, and the changed ones as they are now. */
  "control:changed": {
    readonly pool: string;
    readonly control: string;
    readonly options: Readonly<Record<string, unknown>>;
  };
  /** A call's outcome is not known: it may have been carried out or not. */
  "call:outcome-unknown": { readonly pool: string; readonly label: string | undefined; readonly error: Error };
}

/** A function that hears one kind of event. */
export type Listener<Name extends keyof EventMap> = (event: EventMap[Name]) => void;

type Listeners = { [Name in keyof EventMap]: (event: EventMap[Name]) => void };

/** The bus of a stack. */
export class Events {
  readonly #emitter = new EventEmitter<Listeners>();
  readonly #upstream = new Set<Events>();
  // How many listen here, to whatever: mostly nobody does, and then there is nothing to look up.
  #listening = 0;
  // The channel of the event that was asked for last: on a hot path it is the same each time.
  #asked: keyof EventMap | undefined;
  #channel: ReturnType<typeof channelOf> | undefined;

  /** Hears an event until the returned function is called. */
  on<Name extends keyof EventMap>(name: Name, listener: Listener<Name>): () => void {
    if (typeof listener !== "function") throw new TypeError(`a listener of "${name}" must be a function`);
    const safe = (event: EventMap[Name]): void => {
      try {
        // A listener may be an async function, whatever its type says: its rejection is caught as well.
        const outcome: unknown = listener(event);
        if (isThenable(outcome)) outcome.then(undefined, (error: unknown) => complain(name, error));
      } catch (error) {
        complain(name, error);
      }
    };
    this.#emitter.on(name, safe as never);
    this.#listening += 1;
    let listens = true;
    return () => {
      if (!listens) return;
      listens = false;
      this.#listening -= 1;
      this.#emitter.off(name, safe as never);
    };
  }

  /** Tells everybody who listens here or further up, and whoever has subscribed to the event's channel, once. */
  emit<Name extends keyof EventMap>(name: Name, event: EventMap[Name]): void {
    this.#deliver(name, event);
    const channel = channelOf(name);
    if (channel.hasSubscribers) channel.publish(event);
  }

  #deliver<Name extends keyof EventMap>(name: Name, event: EventMap[Name]): void {
    (this.#emitter.emit as (name: string, event: unknown) => boolean).call(this.#emitter, name, event);
    for (const upstream of this.#upstream) upstream.#deliver(name, event);
  }

  /** Whether anyone would hear the event: lets the hot path skip making it. */
  has(name: keyof EventMap): boolean {
    if (this.#asked !== name) {
      this.#asked = name;
      this.#channel = channelOf(name);
    }
    return this.#isHeard(name) || this.#channel?.hasSubscribers === true;
  }

  #isHeard(name: keyof EventMap): boolean {
    if (this.#listening > 0 && this.#emitter.listenerCount(name) > 0) return true;
    if (this.#upstream.size > 0) for (const upstream of this.#upstream) if (upstream.#isHeard(name)) return true;
    return false;
  }

  /** Passes every event on to another bus, as a router does with its nodes. Returns the way to stop it. */
  forwardTo(upstream: Events): () => void {
    this.#upstream.add(upstream);
    return () => {
      this.#upstream.delete(upstream);
    };
  }

  /** How many listeners there are, over all events; for leak checks. */
  get size(): number {
    return this.#emitter.eventNames().reduce((sum, name) => sum + this.#emitter.listenerCount(name), 0);
  }
}

function complain(name: string, error: unknown): void {
  process.emitWarning(`a listener of "${name}" threw: ${messageOf(error)}`, { code: "BREAKWATER_LISTENER" });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
