/**
 * The trigger of a metastable failure: a server at 80 % of its capacity is ten times as slow for ten seconds, and whoever
 * gets no answer in time tries three times more. Then it is as quick as before, and the question is who notices.
 */
import { compose, type Policy, policy, type Pool } from "@breakwater/core";
import type { StackFactory } from "@breakwater/chaos/simulate";
import { bulkhead } from "@breakwater/policies";
import { describe, expect, it } from "vitest";
import { preset, queueBeforeLimit } from "./stacks.ts";
import { surge, type Surge, type Surged } from "./surge.ts";

const CALM_MS = 10_000;
const BROWN_OUT_MS = 10_000;
const AFTER_MS = 20_000;

/** Every attempt has 200 ms, is not cancelled, and is repeated at once: what is often written around a pool. */
const naiveRetries: Policy = policy("naive", async (operation, next) => {
  for (let left = 3; ; left -= 1) {
    try {
      return await next(operation);
    } catch (error) {
      if (left === 0) throw error;
    }
  }
});

function naive(patienceMs: number): StackFactory {
  return ({ nodes, clock }): Pool => {
    const limit: Policy = policy("naive-timeout", (operation, next) => {
      return new Promise((resolve, reject) => {
        const timer = clock.setTimer(patienceMs, () => reject(new Error("timeout")));
        next(operation)
          .then(resolve, reject)
          .finally(() => timer.cancel());
      });
    });
    return compose(naiveRetries, limit)(nodes.primary);
  };
}

async function brownOut(
  name: string,
  scene: Pick<Surge, "stack"> & Partial<Surge>,
): Promise<Surged & { back: number }> {
  const surged = await surge({
    calm: 0.8,
    load: 0.8,
    calmMs: CALM_MS,
    surgeMs: BROWN_OUT_MS,
    afterMs: AFTER_MS,
    spread: 1,
    serviceMs: 20,
    patienceMs: 200,
    poolMax: 10,
    faults: [{ kind: "slow", target: "n1", atMs: CALM_MS, durationMs: BROWN_OUT_MS, factor: 10 }],
    ...scene,
  });
  const late = surged.answers.filter(({ startMs }) => startMs >= surged.surge[1] + 10_000);
  const back = late.filter(({ tookMs }) => tookMs !== undefined).length / late.length;
  const { calmAfterS, amplification } = surged;
  process.stdout.write(
    `${name}: calm after ${calmAfterS.toFixed(2)} s, answered 10 s later ${back.toFixed(3)}, amplification ${amplification.toFixed(2)}\n`,
  );
  return { ...surged, back };
}

describe("after ten seconds of a server ten times as slow, at 80 % load", { timeout: 240_000 }, () => {
  it("callers that try three times more around a bare pool keep it down", async () => {
    const { back, amplification } = await brownOut("bare, three retries", { stack: naive(200), told: false });
    expect(back).toBeLessThan(0.1);
    expect(amplification).toBeGreaterThan(1.2);
  });

  it.each<[string, StackFactory, Partial<Surge>]>([
    ["bulkhead", preset(({ clock }) => bulkhead({ clock })), {}],
    ["bulkhead before adaptiveLimit", preset(queueBeforeLimit), {}],
    [
      "bulkhead, and callers that try three times more",
      preset(({ clock }) => bulkhead({ clock })),
      { callerRetries: 3 },
    ],
    ["bulkhead, and callers that wait for 2 s", preset(({ clock }) => bulkhead({ clock })), { patienceMs: 2_000 }],
    ["both, and callers that try three times more", preset(queueBeforeLimit), { callerRetries: 3 }],
  ])("the stack is back within 2 s: %s", async (name, stack, scene) => {
    const { calmAfterS, amplification, back } = await brownOut(name, { stack, ...scene });
    expect(calmAfterS).toBeLessThanOrEqual(2);
    expect(amplification).toBeLessThanOrEqual(1.2);
    expect(back).toBeGreaterThanOrEqual(0.99);
  });
});
