import { describe, expect, it } from "vitest";
import { compose, policy, type Policy, StackOrderError } from "@breakwater/core";
import { fakeCall, fakePool } from "@breakwater/core/testing";
import { circuitBreaker, retry, timeout } from "@breakwater/policies";

/** Says when a call passes it, in and out. */
function tracer(name: string, log: string[]): Policy {
  return policy(name, async (operation, next) => {
    log.push(`${name} in`);
    const value = await next(operation);
    log.push(`${name} out`);
    return value;
  });
}

const chaos = policy("chaos", (operation, next) => next(operation));
const router = policy("router", (operation, next) => next(operation));

describe("the order of a stack", () => {
  it("is the order in which a call travels", async () => {
    const log: string[] = [];
    await compose(tracer("a", log), tracer("b", log), tracer("c", log))(fakePool()).execute(fakeCall());
    expect(log).toEqual(["a in", "b in", "c in", "c out", "b out", "a out"]);
  });

  it("is the same however the policies are grouped", async () => {
    const log: string[] = [];
    const outer = compose(tracer("a", log), tracer("b", log));
    await compose(outer, compose(tracer("c", log)))(fakePool()).execute(fakeCall());
    expect(log.slice(0, 3)).toEqual(["a in", "b in", "c in"]);
  });

  it("is told by layers and stats", () => {
    const pool = compose(timeout({ limitMs: 5000 }), retry(), router, circuitBreaker(), chaos)(fakePool());
    const names = ["timeout", "retry", "router", "circuit-breaker", "chaos"];
    expect(pool.layers.map((layer) => layer.name)).toEqual(names);
    expect(pool.stats().policies.map((each) => each.policy)).toEqual(names);
  });

  it.each([
    ["retry", "circuit-breaker", compose(circuitBreaker(), retry())],
    ["retry", "router", compose(router, retry())],
    ["retry", "chaos", compose(chaos, retry())],
    ["circuit-breaker", "chaos", compose(chaos, circuitBreaker())],
    ["retry", "circuit-breaker", compose(circuitBreaker(), timeout({ limitMs: 5 }), retry())],
  ])("in which %s does not stand outside %s is refused, by name, when it is built", (outer, inner, stack) => {
    expect(() => stack(fakePool(undefined, "orders"))).toThrow(StackOrderError);
    expect(() => stack(fakePool(undefined, "orders"))).toThrow(
      `pool "orders": ${outer} must stand outside ${inner}, as in compose(${outer}, ${inner})(pool): `,
    );
  });

  it("allows timeout on either side of retry", async () => {
    for (const stack of [compose(timeout({ limitMs: 5 }), retry()), compose(retry(), timeout({ limitMs: 5 }))]) {
      const pool = fakePool();
      await stack(pool).execute(fakeCall());
      expect(pool.calls[0]?.deadline).toBeLessThan(Number.POSITIVE_INFINITY);
    }
  });
});
