/**
 * What a call needs of the pool that it runs on.
 */
import type { Clock } from "../waiting/clock.ts";
import type { Dialect } from "../contract/dialect.ts";
import type { DriverConnection } from "../contract/driver.ts";
import type { Events } from "../contract/events.ts";
import type { Failure, Situation } from "../contract/failure.ts";
import type { PoolMeter } from "../measure/metrics.ts";

/** What a call needs of the pool that it runs on. */
export interface CallHost {
  readonly name: string;
  readonly dialect: Dialect;
  readonly events: Events;
  readonly clock: Clock;
  readonly statementTimeoutMs: number;
  readonly meter: PoolMeter;
  /** What a statement's error means; it is counted. */
  judge(error: unknown, situation: Situation): Failure;
  /** What is done to a connection before others get it; undefined when nothing is. */
  readonly reset?: ((connection: DriverConnection) => Promise<void>) | undefined;
}
