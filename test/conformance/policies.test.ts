import { type Clock, compose, policy } from "@breakwater/core";
import {
  adaptiveLimit,
  autosize,
  bulkhead,
  chaos,
  circuitBreaker,
  coalesce,
  commitResolution,
  destinations,
  fallback,
  hedge,
  leakWatch,
  retry,
  router,
  throttle,
  timeout,
} from "@breakwater/policies";
import { policyConformance } from "./policy.ts";

policyConformance("passing", () => policy("passing", (operation, next) => next(operation)));
policyConformance("timeout", (clock) => timeout({ limitMs: 1000, clock }));
policyConformance("retry", (clock) => retry({ clock }));
policyConformance("chaos", (clock) => chaos({ clock }));
policyConformance("chaos with latency", (clock) => chaos({ clock, faults: [{ fault: "latency", latencyMs: 5 }] }), {
  settleMs: 5,
});
policyConformance("circuit-breaker", (clock) => circuitBreaker({ clock }));
policyConformance("commit-resolution", (clock) => commitResolution({ clock }));
policyConformance("leak-watch", (clock) => leakWatch({ clock }));
// A fake pool has the size of a real one, but nothing to change about it.
policyConformance(
  "autosize",
  (clock) => (inner) => autosize({ max: 10, clock })(Object.assign(inner, { resize: () => undefined })),
);
policyConformance("router", (clock) => (inner) => router({ primary: inner, clock }), { ownPool: true, settleMs: 5 });

policyConformance("destinations", (clock) => (inner) => destinations({ to: { main: inner }, default: "main", clock }), {
  ownPool: true,
});
policyConformance("hedge", (clock) => hedge({ clock }));
policyConformance("bulkhead", (clock) => bulkhead({ clock }));
policyConformance("adaptive-limit", (clock) => adaptiveLimit({ clock }));
policyConformance("throttle", (clock) => throttle({ clock }));
// A shared read has a signal of its own: who leaves must not end it for the others.
const unsignalled = (clock: Clock): ReturnType<typeof coalesce> =>
  coalesce({ clock, only: ({ signal }) => signal === undefined });
policyConformance("coalesce", unsignalled);
policyConformance("fallback", () => fallback({ for: { rejected: true }, value: "instead" }));

const all = (clock: Clock): ReturnType<typeof compose> =>
  compose(timeout({ limitMs: 1000, clock }), retry({ clock }), commitResolution({ clock }), circuitBreaker({ clock }));
policyConformance("all of them", all);

const allAgainstOverload = (clock: Clock): ReturnType<typeof compose> =>
  compose(
    unsignalled(clock),
    fallback({ for: { rejected: true }, value: "instead" }),
    timeout({ limitMs: 1000, clock }),
    hedge({ clock }),
    retry({ clock }),
    circuitBreaker({ clock }),
    throttle({ clock }),
    bulkhead({ clock }),
    adaptiveLimit({ clock }),
  );
policyConformance("all against overload", allAgainstOverload);
