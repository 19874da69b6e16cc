/**
 * What a call needs of the pool that it runs on.
 */
import type { Clock } from "./clock.ts";
import type { Dialect } from "./dialect.ts";
import type { Events } from "./events.ts";

/** What a call needs of the pool that it runs on. */
export interface CallHost {
  readonly name: string;
  readonly dialect: Dialect;
  readonly events: Events;
  readonly clock: Clock;
  readonly statementTimeoutMs: number;
}
