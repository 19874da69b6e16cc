/**
 * What is known of a call, from what its caller said.
 */
import type { Causality } from "../contract/causality.ts";
import { UsageError } from "../contract/errors.ts";
import { type Access, type OperationContext, operationContext } from "../contract/operation.ts";
import type { Pool } from "../contract/pool.ts";
import type { Clock } from "../waiting/clock.ts";
import { type CallOptions, checkCall } from "./call-options.ts";

/** Who makes the call. */
export interface Caller {
  readonly pool: Pool;
  /** Whether the stack can find out what became of a write. */
  readonly resolves: boolean;
  readonly clock: Clock;
  readonly causality: Causality;
  /** Asked when the options do not say it. */
  readonly access: () => Access;
}

/** @throws OptionError when an option is unknown or out of range; UsageError when the stack cannot do what it asks for. */
export function callContext(
  options: CallOptions,
  { pool, resolves, clock, causality, access }: Caller,
): OperationContext {
  const given = checkCall(options);
  if ((given.exactlyOnce === true || given.idempotencyKey !== undefined) && !resolves) {
    throw new UsageError(pool.name, "exactlyOnce and idempotencyKey need commitResolution in the stack");
  }
  if (given.destination !== undefined && !pool.layers.some(({ name }) => name === "destinations")) {
    throw new UsageError(pool.name, "a destination needs destinations in the stack");
  }
  const { timeoutMs } = given;
  const base = operationContext(given.access ?? access());
  return {
    ...base,
    accessSaid: given.access !== undefined,
    // What stands in the ledger under its key is not done again, so such a call may be repeated.
    idempotent: given.idempotent ?? given.idempotencyKey !== undefined,
    exactlyOnce: given.exactlyOnce,
    idempotencyKey: given.idempotencyKey,
    deadline: timeoutMs === undefined ? base.deadline : clock.now() + timeoutMs,
    signal: given.signal,
    priority: given.priority ?? base.priority,
    consistency: given.consistency ?? base.consistency,
    causality,
    label: given.label,
    tenant: given.tenant,
    destination: given.destination,
  };
}
