/**
 * What a store of connections needs to know.
 */
import type { Clock } from "../waiting/clock.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** How connections live. */
export interface ConnectionStoreOptions extends Omit<Lifecycle, "start" | "allowExitOnIdle"> {
  /** Stands in errors. */
  readonly name: string;
  /** The short question that a healthy connection answers. */
  readonly validationText: string;
  /** Source of the time. */
  readonly clock: Clock;
  /** Whether trying again to connect is of no use: a password that is wrong stays so. @default none is */
  readonly hopeless?: (error: unknown) => boolean;
}
