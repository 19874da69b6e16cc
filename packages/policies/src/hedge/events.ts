/**
 * What `hedge` says on the bus. Each `hedge:sent` is followed by one of the others, unless the caller leaves.
 */
import type { Failure } from "@breakwater/core";

/** A read was sent a second time. */
export interface HedgeSent {
  /** Name of the pool. */
  readonly pool: string;
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** The node of the second go. */
  readonly node: string;
  /** The node of the first. */
  readonly slow: string;
  /** How long the first had been under way, in milliseconds. */
  readonly afterMs: number;
}

/** The second go answered first. */
export interface HedgeWon {
  /** Name of the pool. */
  readonly pool: string;
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** The node of the second go. */
  readonly node: string;
  /** How long the caller waited in all, in milliseconds. */
  readonly tookMs: number;
}

/** The second go was of no use: the first answered before it, or it failed. */
export interface HedgeLost {
  /** Name of the pool. */
  readonly pool: string;
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** The node of the second go. */
  readonly node: string;
  /** What it failed with; undefined when it was only slower. */
  readonly failure: Failure | undefined;
}

declare module "@breakwater/core" {
  interface EventMap {
    /** `hedge` has sent a read a second time. */
    "hedge:sent": HedgeSent;
    /** The second go of a read was worth it. */
    "hedge:won": HedgeWon;
    /** The second go of a read was of no use. */
    "hedge:lost": HedgeLost;
  }
}
