/**
 * What `leakWatch` says on the bus.
 */

/** Somebody who holds a connection, or held it. */
export interface LeakSuspected {
  /** Name of the pool. */
  readonly pool: string;
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** How it is held: by `connect()` or a stream (`session`), or by the function of a transaction. */
  readonly kind: "session" | "transaction";
  /** How long it has been held, in milliseconds. */
  readonly heldMs: number;
  /** Where it was asked for, a line for each caller; undefined where that was not noted. */
  readonly stack: string | undefined;
}

/** A connection that was held too long is no longer held. */
export interface LeakReturned extends LeakSuspected {
  /** Whether it was taken from its holder. */
  readonly forced: boolean;
}

declare module "@breakwater/core" {
  interface EventMap {
    /** A connection has been held longer than `maxHeldMs`, and still is. Once for each that is. */
    "leak-watch:suspected": LeakSuspected;
    /** A connection that was suspected came back, or was taken back. */
    "leak-watch:returned": LeakReturned;
  }
}
