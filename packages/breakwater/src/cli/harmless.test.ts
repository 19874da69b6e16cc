import { describe, expect, it } from "vitest";
import { harmless, harmlessJson } from "./harmless.ts";

const HOSTILE = "a\u001B[2J\u009B2J\u202Eb\u2028c\u{E0001}\uD800\r\nd é漢";

describe("texts of servers", () => {
  it("cannot steer a terminal", () => {
    expect(harmless(HOSTILE)).toBe("a?[2J?2J?b?c????d é漢");
    expect(harmlessJson({ [HOSTILE]: HOSTILE })).toMatch(/^[ -~é漢]+$/);
  });

  it("are the same when a program reads them", () => {
    for (const indent of [undefined, 1])
      expect(JSON.parse(harmlessJson({ [HOSTILE]: [HOSTILE] }, indent))).toEqual({ [HOSTILE]: [HOSTILE] });
    expect(harmlessJson({ a: 1 }, 1)).toBe('{\n "a": 1\n}');
  });
});
