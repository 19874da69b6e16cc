/**
 * What `autosize` says on the bus.
 */

/** A pool has another size now. */
export interface AutosizeResized {
  readonly pool: string;
  /** Most connections before, and now. */
  readonly from: number;
  readonly to: number;
  /** Calls waited; most connections were idle; or the database refused to open more. */
  readonly why: "waiting" | "idle" | "refused";
}

declare module "@breakwater/core" {
  interface EventMap {
    "autosize:resized": AutosizeResized;
  }
}
