/** Composing and writing policies. */
import { compose, type Execute, type Policy, policy, type Pool, statefulPolicy } from "@breakwater/core";
import { circuitBreaker, retry, timeout } from "@breakwater/policies";
import { equal } from "./equal.ts";

declare const pool: Pool;

const stack = compose(retry(), circuitBreaker(), timeout({ limitMs: 1_000 }));
equal<typeof stack, Policy>();
equal<ReturnType<typeof stack>, Pool>();

// A composition is a policy, and so is no composition at all.
export const twice: Pool = compose(stack, compose())(pool);

// @ts-expect-error a policy must be made first: the factory is none
compose(retry);
// @ts-expect-error the pool comes in a call of its own
compose(retry(), pool);
// @ts-expect-error a policy is put around a pool, not around a driver's
stack({ query: () => Promise.resolve() });

export const passing: Policy = policy("passing", (operation, next) => next(operation));
export const changing: Policy = policy("changing", (operation, next) => next({ ...operation, attempt: 2 }));

// @ts-expect-error the result of the call must be handed back
policy("forgetting", (operation, next) => void next(operation));
// @ts-expect-error a policy cannot make up the result of a call
policy("inventing", () => Promise.resolve({ rows: [] }));
// @ts-expect-error an operation is never changed, only copied
policy("writing", (operation, next) => next(Object.assign(operation, { attempt: (operation.attempt = 2) })));
// @ts-expect-error there is no such access
policy("misspelling", (operation, next) => next({ ...operation, access: "reads" }));
// @ts-expect-error a part must be able to execute
statefulPolicy("empty", () => ({ close: () => undefined }));

export const execute: Execute = async (operation, next, inner) => {
  equal<typeof inner, Pool>();
  return next(operation);
};
