import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { OptionError } from "./errors.ts";
import {
  atLeast,
  flag,
  knownOptions,
  nonNegativeInteger,
  nonNegativeMs,
  oneOf,
  positiveInteger,
  positiveMs,
  ratio,
  text,
} from "./options.ts";

const SECRET = "geheim";

describe("options", () => {
  const checks = { positiveMs, nonNegativeMs, positiveInteger, nonNegativeInteger, ratio };
  const wrong = [Number.NaN, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, "1", null, undefined, {}, [], 1n];

  it.each(Object.keys(checks) as (keyof typeof checks)[])("%s refuses what is no such number", (name) => {
    for (const value of wrong) {
      let caught: unknown;
      try {
        checks[name]("unit.option", value);
      } catch (error) {
        caught = error;
      }
      expect(caught, inspect(value)).toBeInstanceOf(OptionError);
      expect(caught).toBeInstanceOf(RangeError);
      expect(caught).toMatchObject({ code: "ERR_BREAKWATER_OPTION", option: "unit.option" });
    }
  });

  it("take what is in range, its ends included", () => {
    expect([positiveMs("o", 0.5), nonNegativeMs("o", 0), positiveInteger("o", 1), nonNegativeInteger("o", 0)]).toEqual([
      0.5, 0, 1, 0,
    ]);
    expect([
      positiveMs("o", 2_147_483_647),
      ratio("o", 1),
      atLeast("o", 2, 2),
      flag("o", false),
      text("o", "x"),
    ]).toEqual([2_147_483_647, 1, 2, false, "x"]);
    expect(oneOf("o", "b", ["a", "b"])).toBe("b");
    for (const bad of [() => positiveMs("o", 0), () => positiveMs("o", 2_147_483_648), () => ratio("o", 0)]) {
      expect(bad).toThrow(OptionError);
    }
  });

  it("name the one that is unknown, and those there are", () => {
    expect(() => knownOptions("unit", { lmitMs: 5 }, ["limitMs"] as never)).toThrow(
      "option unit.lmitMs is unknown (there are limitMs), got 5",
    );
    for (const bad of [null, undefined, [], "x", 5]) {
      expect(() => knownOptions("unit", bad as never, [])).toThrow(OptionError);
    }
  });

  it.each([
    `postgres://user:${SECRET}@host/db`,
    `postgres://user:${SECRET}`,
    `postgres://user@host:99999/db?password=${SECRET}`,
    `postgres://u:a@${SECRET}@host`,
    `postgres://u:a?b@${SECRET}@host`,
    `postgres://u@h/db?password=a@${SECRET}`,
    `host=db password=${SECRET} user=me`,
    `PASSWORD='${SECRET}'`,
    `user:${SECRET}@host`,
    `mysql://u:${SECRET}@h`,
  ])("never show a password: %s", (value) => {
    for (const given of [value, [value], [[value]], { connectionString: value }, { deep: [value] }]) {
      expect(inspect(new OptionError("unit.option", given, "something else"), { depth: 9 })).not.toContain(SECRET);
      const unknown = (): unknown => knownOptions("unit", { url: given }, []);
      expect(unknown).toThrow(OptionError);
      try {
        unknown();
      } catch (error) {
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(SECRET);
      }
    }
  });

  it("show what helps: host and database, numbers, short texts", () => {
    expect(new OptionError("o", "postgres://u:p@h:99999/d", "right").value).toBe("postgres://…@h:99999/d");
    expect(new OptionError("o", "sometimes", "right").message).toBe('option o must be right, got "sometimes"');
    expect(new OptionError("o", [], "right").message).toBe("option o must be right, got an empty array");
    expect(new OptionError("o", { a: 1 }, "right").message).toBe("option o must be right, got an object");
    expect(new OptionError("o", Number.NaN, "right").value).toBeNaN();
  });
});
