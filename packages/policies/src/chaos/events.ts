/**
 * What `chaos` says on the bus.
 */
import type { ChaosFaultKind } from "./options.ts";

/** A fault was injected into a call. */
export interface ChaosInjected {
  readonly pool: string;
  readonly label: string | undefined;
  readonly fault: ChaosFaultKind;
  /** What the call was made to fail with; undefined for latency. */
  readonly error: unknown;
}

declare module "@breakwater/core" {
  interface EventMap {
    "chaos:injected": ChaosInjected;
  }
}
