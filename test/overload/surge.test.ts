/**
 * More than a server can do, on virtual time, through the whole stack. A caller gives up after 100 ms where nothing else is
 * said; half the capacity is offered before and afterwards.
 */
import { policy, type Pool, type Priority } from "@breakwater/core";
import { adaptiveLimit, bulkhead } from "@breakwater/policies";
import { bulkhead as cockatielBulkhead } from "cockatiel";
import { describe, expect, it } from "vitest";
import type { StackFactory } from "@breakwater/chaos/simulate";
import { preset, queueBeforeLimit } from "./stacks.ts";
import { percentile, surge, type Surge, type Surged } from "./surge.ts";

const bare: StackFactory = ({ nodes }) => nodes.primary;
/** As many at a time as the pool has connections; those who wait are too many, as in most programs. */
const cockatiel =
  (queue: number): StackFactory =>
  ({ nodes }): Pool => {
    const limit = cockatielBulkhead(10, queue);
    return policy("cockatiel", (operation, next) => limit.execute(() => next(operation)))(nodes.primary);
  };

const OURS: Readonly<Record<string, StackFactory>> = {
  bulkhead: preset(({ clock }) => bulkhead({ clock })),
  "bulkhead, fifo, short wait": preset(({ clock }) => bulkhead({ clock, order: "fifo", maxWaitMs: 30 })),
  "bulkhead, codel": preset(({ clock }) => bulkhead({ clock, order: "codel", targetMs: 15 })),
  "bulkhead before adaptiveLimit": preset(queueBeforeLimit),
};

function shown(name: string, { goodput, p99, criticalFailed, calmAfterS, amplification }: Surged): string {
  const figures = [
    goodput.toFixed(3),
    p99.toFixed(2),
    criticalFailed.toFixed(4),
    calmAfterS.toFixed(2),
    amplification.toFixed(2),
  ];
  return `${name}: goodput ${figures[0]}, p99 ${figures[1]} × calm, critical failed ${figures[2]}, calm after ${figures[3]} s, amplification ${figures[4]}`;
}

async function told(name: string, scene: Surge): Promise<Surged> {
  const surged = await surge(scene);
  process.stdout.write(`${shown(name, surged)}\n`);
  return surged;
}

function expectWell(surged: Surged, goodput = 0.98): void {
  expect(surged.goodput).toBeGreaterThanOrEqual(goodput);
  expect(surged.p99).toBeLessThanOrEqual(3);
  expect(surged.criticalFailed).toBeLessThanOrEqual(0.001);
  expect(surged.calmAfterS).toBeLessThanOrEqual(2);
}

describe("twice the capacity for 60 s", { timeout: 240_000 }, () => {
  it("leaves a bare pool without a good answer", async () => {
    const { goodput, criticalFailed } = await told("bare pool", { stack: bare, told: false });
    expect(goodput).toBeLessThan(0.1);
    expect(criticalFailed).toBeGreaterThan(0.9);
  });

  it("leaves cockatiel's bulkhead with a tenth of the capacity when its queue is long, and critical calls unserved when it is short", async () => {
    const long = await told("cockatiel, 1000 wait", { stack: cockatiel(1_000), told: false });
    expect(long.goodput).toBeLessThan(0.1);
    const short = await told("cockatiel, 20 wait", { stack: cockatiel(20), told: false });
    expect(short.criticalFailed).toBeGreaterThan(0.3);
  });

  it.each(Object.keys(OURS))("leaves %s at its whole capacity, and its critical calls whole", async (name) => {
    expectWell(await told(name, { stack: OURS[name]! }));
  });

  it("leaves adaptiveLimit, which has no queue, near it", async () => {
    expectWell(await told("adaptiveLimit", { stack: preset(({ clock }) => adaptiveLimit({ clock })), poolMax: 50 }));
    // With few places a call in a hundred finds none even when it is calm.
    const small = await told("adaptiveLimit, 10 places", { stack: preset(({ clock }) => adaptiveLimit({ clock })) });
    expectWell({ ...small, calmAfterS: 0 }, 0.96);
  });
});

const SHORT = { calmMs: 5_000, surgeMs: 15_000, afterMs: 5_000 };

const VARIANTS: Readonly<Record<string, Partial<Surge>>> = {
  "a larger server": { workers: 40, poolMax: 50 },
  "a smaller one, of quick statements": { workers: 2, serviceMs: 5, poolMax: 3 },
  "callers that give up after two and a half times what an answer takes": { patienceMs: 50, spread: 0.05 },
  "callers of whom the stack is not told when they give up": { told: false },
  "a burst of ten times the capacity": {
    load: 10,
    surgeMs: 5_000,
    priority: (number) => (number % 50 === 0 ? "critical" : "normal"),
  },
  "mostly critical calls": { priority: (number) => (number % 5 < 2 ? "critical" : "normal") },
  "as much that may be shed as not": {
    priority: (number): Priority => (number % 10 === 0 ? "critical" : number % 2 === 0 ? "normal" : "sheddable"),
  },
  "another seed": { seed: 99 },
};

describe.each(["bulkhead", "bulkhead before adaptiveLimit"])("%s stands", (name) => {
  // The queue is the same one: of the second it is the limit that is tried.
  const variants = Object.keys(VARIANTS).filter((_, index) => name === "bulkhead" || index < 3);
  it.each(variants)("%s", { timeout: 240_000 }, async (variant) => {
    expectWell(await told(`${name}, ${variant}`, { stack: OURS[name]!, ...SHORT, ...VARIANTS[variant] }), 0.97);
  });

  it("two replicas, each with a limit of its own inside the router", { timeout: 240_000 }, async () => {
    const scene: Surge = { stack: OURS[name]!, ...SHORT, servers: 2, nodes: { replicas: 2 } };
    expectWell(await told(`${name}, two replicas`, scene));
  });
});

it("finds the number by itself where the pool is far too large", { timeout: 240_000 }, async () => {
  const scene = { ...SHORT, poolMax: 60 };
  const given = await told("60 places for 8, bulkhead", { stack: OURS["bulkhead"]!, ...scene });
  expect(given.goodput).toBeLessThan(0.5);
  expectWell(await told("60 places for 8, both", { stack: OURS["bulkhead before adaptiveLimit"]!, ...scene }));
});

it("keeps callers who can wait long near what is usual", { timeout: 240_000 }, async () => {
  const scene = { ...SHORT, surgeMs: 60_000, patienceMs: 5_000 };
  expectWell(await told("5 s of patience", { stack: OURS["bulkhead"]!, ...scene }));
});

it("serves a tenant of few calls beside one of very many", { timeout: 240_000 }, async () => {
  const stack = preset(({ clock }) => bulkhead({ clock, fairBy: ({ label }) => label }));
  const tenant = (number: number): string => (number % 20 === 0 ? `small ${(number / 20) % 2}` : "large");
  const surged = await told("tenants", { stack, ...SHORT, tenant, priority: () => "normal" });
  const [begin, end] = surged.surge;
  const small = surged.answers.filter((one) => one.tenant !== "large" && one.startMs >= begin && one.startMs < end);
  expect(small.length).toBeGreaterThan(300);
  expect(small.filter(({ tookMs }) => tookMs === undefined).length / small.length).toBeLessThanOrEqual(0.01);
  expect(percentile(small, 0.99)).toBeLessThanOrEqual(100);
  expect(surged.goodput).toBeGreaterThanOrEqual(0.97);
});
