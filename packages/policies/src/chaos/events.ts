/**
 * What `chaos` says on the bus.
 */
import type { ChaosFaultKind } from "./options.ts";

/** A fault was injected into a call. */
export interface ChaosInjected {
  /** Name of the pool. */
  readonly pool: string;
  /** The call's label; undefined when it has none. */
  readonly label: string | undefined;
  /** What was done to it. */
  readonly fault: ChaosFaultKind;
  /** What the call was made to fail with; undefined for latency. */
  readonly error: unknown;
}

declare module "@breakwater/core" {
  interface EventMap {
    /** `chaos` has injected a fault. */
    "chaos:injected": ChaosInjected;
  }
}
