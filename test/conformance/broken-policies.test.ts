/** The suite finds what is easy to get wrong, and names it. */
import { type Clock, type Operation, type Policy, policy, statefulPolicy } from "@breakwater/core";
import { policyConformance } from "@breakwater/core/testing";
import { expect, it } from "vitest";

async function failed(make: (clock: Clock) => Policy): Promise<string[]> {
  const names: string[] = [];
  for (const { name, run } of policyConformance(make)) {
    await run().catch((error: unknown) => names.push(`${name}: ${String(error)}`));
  }
  return names;
}

const without = <T>(operation: Operation<T>, field: keyof Operation<T>): Operation<T> => ({
  ...operation,
  [field]: undefined,
});

it.each<readonly [string, string, (clock: Clock) => Policy]>([
  [
    "sends a write again that may have been done",
    "passes on what a query fails with as the same object, once: .*a write that may have been done was sent again",
    () =>
      policy("again", async (operation, next) => {
        try {
          return await next(operation);
        } catch (error) {
          if (operation.access === "read") throw error;
          return next(operation);
        }
      }),
  ],
  [
    "takes a write for a read",
    "loses nothing of what a transaction says.*access was lost",
    () => policy("reads", (operation, next) => next({ ...operation, access: "read" })),
  ],
  [
    "forgets that a call may be repeated",
    "loses nothing of what a query says.*idempotent was lost",
    () => policy("once", (operation, next) => next({ ...operation, idempotent: false })),
  ],
  [
    "drops the signal",
    "loses nothing of what a session says.*signal was lost",
    () => policy("deaf", (operation, next) => next(without(operation, "signal"))),
  ],
  [
    "goes on listening to the signal",
    "loses nothing of what a query says.*goes on listening",
    () =>
      policy("listener", (operation, next) => {
        operation.signal?.addEventListener("abort", () => undefined);
        return next(operation);
      }),
  ],
  [
    "refuses probes",
    "lets probes pass.*before any call",
    () =>
      policy("closed", (operation, next) =>
        operation.purpose === "probe" ? Promise.reject(new Error("no")) : next(operation),
      ),
  ],
  [
    "counts probes among the calls that it limits",
    "lets probes pass.*while many calls run",
    () =>
      statefulPolicy("at-most", () => {
        let running = 0;
        return {
          async execute(operation, next) {
            if (running >= 50) throw new Error("full");
            running += 1;
            try {
              return await next(operation);
            } finally {
              running -= 1;
            }
          },
        };
      }),
  ],
  [
    "keeps the permit of a call that fails",
    "gives back what it holds for calls that fail.*running: 900",
    () =>
      statefulPolicy("leaky", () => {
        let running = 0;
        return {
          async execute(operation, next) {
            running += 1;
            const value = await next(operation);
            running -= 1;
            return value;
          },
          stats: () => ({ running }),
        };
      }),
  ],
  [
    "takes every rejection for the node's failure",
    "gives back what it holds for calls that fail.*a call did not pass",
    () =>
      statefulPolicy("touchy", () => {
        let failures = 0;
        return {
          async execute(operation, next) {
            if (operation.purpose === "call" && failures > 20) throw new Error("open");
            return next(operation).catch((error: unknown) => {
              failures += 1;
              throw error;
            });
          },
        };
      }),
  ],
])("a policy that %s fails by name", async (_, told, make) => {
  expect((await failed(make)).join("\n")).toMatch(new RegExp(told, "s"));
});
