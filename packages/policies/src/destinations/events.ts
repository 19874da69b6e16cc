/**
 * What `destinations` says on the bus, beside all that its destinations say.
 */

/** A destination that is made on demand. */
export interface DestinationEvent {
  /** Name of the pool. */
  readonly pool: string;
  /** Its name. */
  readonly destination: string;
}

declare module "@breakwater/core" {
  interface EventMap {
    /** A destination was made for its first call. */
    "destination:opened": DestinationEvent;
    /** One that nobody used for a while, or that had to make room, has been closed. */
    "destination:closed": DestinationEvent;
  }
}
