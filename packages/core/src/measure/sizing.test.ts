import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../contract/errors.ts";
import { suggestPoolSize } from "./sizing.ts";

describe("suggestPoolSize", () => {
  it("follows the formula of PostgreSQL's wiki", () => {
    // The example that HikariCP's page "About Pool Sizing" gives: four cores, one disk.
    expect(suggestPoolSize({ cores: 4 })).toMatchObject({ size: 9, byCores: 9, byLoad: undefined, limit: undefined });
    expect(suggestPoolSize({ cores: 4, spindles: 0 }).size).toBe(8);
    expect(suggestPoolSize({ cores: 16, spindles: 4 }).size).toBe(36);
  });

  it("follows Little's law, over the share of connections that may be busy", () => {
    // 200 calls a second of 10 ms each keep 2 connections busy.
    const load = { arrivalsPerSecond: 200, serviceTimeMs: 10 };
    expect(suggestPoolSize({ ...load, targetUtilisation: 1 })).toMatchObject({ size: 2, byLoad: 2 });
    expect(suggestPoolSize({ ...load, targetUtilisation: 0.5 }).byLoad).toBe(4);
    expect(suggestPoolSize(load).byLoad).toBe(3);
    // Binary fractions: 0.07 * 100 is a hair more than 7.
    expect(suggestPoolSize({ arrivalsPerSecond: 70, serviceTimeMs: 100, targetUtilisation: 1 }).byLoad).toBe(7);
    expect(suggestPoolSize({ arrivalsPerSecond: 0, serviceTimeMs: 0 }).size).toBe(1);
  });

  it("suggests the least of cores, load and limit, and says which it was", () => {
    const cores = { cores: 8 };
    const light = suggestPoolSize({ ...cores, arrivalsPerSecond: 100, serviceTimeMs: 10 });
    expect([light.size, light.why.at(-1)]).toEqual([2, "2: the load needs no more"]);
    const heavy = suggestPoolSize({ ...cores, arrivalsPerSecond: 1_000, serviceTimeMs: 100 });
    expect([heavy.size, heavy.byLoad]).toEqual([17, 143]);
    expect(heavy.why.at(-1)).toMatch(/^17: with more, the cores .*; the load needs 143: shorten/);
    const narrow = suggestPoolSize({ ...cores, maxConnections: 10 });
    expect([narrow.size, narrow.limit, narrow.why.at(-1)]).toEqual([6, 6, "6: the server allows no more"]);
  });

  it("shares all of it among the pools", () => {
    const given = {
      cores: 8,
      spindles: 0,
      instances: 4,
      arrivalsPerSecond: 4_000,
      serviceTimeMs: 5,
      maxConnections: 100,
    };
    const { size, byCores, byLoad, limit, why } = suggestPoolSize({ ...given, targetUtilisation: 0.5 });
    // 16 / 4; 20 busy / 0.5 / 4; (100 - 3 - 4) / 4
    expect([size, byCores, byLoad, limit]).toEqual([4, 4, 10, 23]);
    expect(why).toEqual([
      "by cores: 8 cores * 2 + 0 spindles = 16 for the server, 4 for each of 4",
      "by load: 4000/s * 5 ms = 20 busy, / 0.5 = 40 for the load, 10 for each of 4",
      "limit: 100 allowed - 7 reserved = 93, 23 for each of 4",
      expect.stringMatching(/^4: /),
    ]);
  });

  it("refuses what is out of range, also where it would make no difference", () => {
    for (const wrong of [{ targetUtilisation: 0 }, { spindles: -1 }, { reserved: -1 }, { reserved: 0.5 }]) {
      expect(() => suggestPoolSize({ cores: 4, ...wrong })).toThrow(OptionError);
      expect(() => suggestPoolSize({ arrivalsPerSecond: 10, serviceTimeMs: 10, ...wrong })).toThrow(OptionError);
    }
  });

  it("says so when there are more pools than the server works on best", () => {
    const { size, why } = suggestPoolSize({ cores: 2, instances: 20 });
    expect(size).toBe(1);
    expect(why.join()).toContain("put a pooler between");
  });

  it("never exceeds what the server allows to all pools together", () => {
    const whole = (min: number, max: number) => fc.integer({ min, max });
    fc.assert(
      fc.property(
        whole(1, 256),
        whole(0, 100_000),
        whole(0, 5_000),
        whole(1, 50),
        whole(60, 2_000),
        whole(0, 10),
        (cores, arrivalsPerSecond, serviceTimeMs, instances, maxConnections, reserved) => {
          const load = { arrivalsPerSecond, serviceTimeMs };
          const told = suggestPoolSize({ cores, ...load, instances, maxConnections, reserved });
          expect(Number.isInteger(told.size)).toBe(true);
          expect(told.size).toBeGreaterThanOrEqual(1);
          expect(told.size * instances + reserved).toBeLessThanOrEqual(maxConnections);
          expect(told.size).toBe(Math.min(told.byCores!, told.byLoad!, told.limit!));
          expect(Object.isFrozen(told)).toBe(true);
        },
      ),
    );
  });

  it("refuses inputs that make no sense, or are too few", () => {
    for (const wrong of [
      {},
      { cores: 0 },
      { cores: 2.5 },
      { cores: "4" },
      { cores: 4, spindles: -1 },
      { cores: 4, instances: 0 },
      { arrivalsPerSecond: 5 },
      { serviceTimeMs: 5 },
      { arrivalsPerSecond: 5, serviceTimeMs: Number.NaN },
      { arrivalsPerSecond: 5, serviceTimeMs: 5, targetUtilisation: 1.1 },
      { arrivalsPerSecond: 5, serviceTimeMs: 5, targetUtilisation: 0 },
      { cores: 4, maxConnections: 3 },
      { cores: 4, maxConnections: 100, instances: 97, reserved: 4 },
      { cores: 4, core: 4 },
    ])
      expect(() => suggestPoolSize(wrong as never), JSON.stringify(wrong)).toThrow(RangeError);
    expect(() => suggestPoolSize(undefined as never)).toThrow(RangeError);
  });
});
