/**
 * What `hedge` says on the bus. Each `hedge:sent` is followed by one of the others, unless the caller leaves.
 */
import type { Failure } from "@breakwater/core";

/** A read was sent a second time. */
export interface HedgeSent {
  readonly pool: string;
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
  readonly pool: string;
  readonly label: string | undefined;
  /** The node of the second go. */
  readonly node: string;
  /** How long the caller waited in all, in milliseconds. */
  readonly tookMs: number;
}

/** The second go was of no use: the first answered before it, or it failed. */
export interface HedgeLost {
  readonly pool: string;
  readonly label: string | undefined;
  /** The node of the second go. */
  readonly node: string;
  /** What it failed with; undefined when it was only slower. */
  readonly failure: Failure | undefined;
}

declare module "@breakwater/core" {
  interface EventMap {
    "hedge:sent": HedgeSent;
    "hedge:won": HedgeWon;
    "hedge:lost": HedgeLost;
  }
}
