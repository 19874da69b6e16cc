import { type Clock, compose, policy } from "@breakwater/core";
import { circuitBreaker, commitResolution, retry, router, timeout } from "@breakwater/policies";
import { policyConformance } from "./policy.ts";

policyConformance("passing", () => policy("passing", (operation, next) => next(operation)));
policyConformance("timeout", (clock) => timeout({ limitMs: 1000, clock }));
policyConformance("retry", (clock) => retry({ clock }));
policyConformance("circuit-breaker", (clock) => circuitBreaker({ clock }));
policyConformance("commit-resolution", (clock) => commitResolution({ clock }));
policyConformance("router", (clock) => (inner) => router({ primary: inner, clock }), { ownPool: true, settleMs: 5 });

const all = (clock: Clock): ReturnType<typeof compose> =>
  compose(timeout({ limitMs: 1000, clock }), retry({ clock }), commitResolution({ clock }), circuitBreaker({ clock }));
policyConformance("all of them", all);
