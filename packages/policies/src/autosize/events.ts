/**
 * What `autosize` says on the bus.
 */

/** A pool has another size now. */
export interface AutosizeResized {
  /** Name of the pool. */
  readonly pool: string;
  /** Most connections before. */
  readonly from: number;
  /** Most connections now. */
  readonly to: number;
  /** Calls waited; most connections were idle; the database refused to open more; or it was outside new bounds. */
  readonly why: "waiting" | "idle" | "refused" | "bounds";
}

declare module "@breakwater/core" {
  interface EventMap {
    /** `autosize` has changed the size of a pool. */
    "autosize:resized": AutosizeResized;
  }
}
