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
    /** One that was made on demand has been closed: nobody used it, others needed its room, by hand, or with the pool. */
    "destination:closed": DestinationEvent;
  }
}
