import { describe, expect, it } from "vitest";
import { booleanOf, integerIn, lineOf, numberIn, oneOf, onlyKnown } from "./check.ts";

describe("checks", () => {
  it("give back what is allowed", () => {
    expect(integerIn("n", 3, 1, 3)).toBe(3);
    expect(numberIn("n", 0.5, 0, 1)).toBe(0.5);
    expect(oneOf("mode", "fin", ["reset", "fin"])).toBe("fin");
    expect(booleanOf("on", false)).toBe(false);
    expect(lineOf("text", "a b")).toBe("a b");
    expect(() => onlyKnown("f", { a: 1 }, ["a", "b"])).not.toThrow();
  });

  it.each([
    [() => integerIn("replicas", 9, 0, 8), "replicas must be an integer from 0 to 8, got 9"],
    [() => integerIn("replicas", 1.5, 0, 8), "replicas must be an integer from 0 to 8, got 1.5"],
    [() => integerIn("times", "2", 1, Number.MAX_SAFE_INTEGER), 'times must be an integer of at least 1, got "2"'],
    [() => numberIn("ms", Number.NaN, 0, 10), "ms must be a number from 0 to 10, got NaN"],
    [() => oneOf("mode", "rst", ["reset", "fin"]), 'mode must be one of "reset", "fin", got "rst"'],
    [() => booleanOf("on", 1), "on must be true or false, got 1"],
    [() => lineOf("message", "a\nb"), 'message must be a string without line ends, got "a\\nb"'],
    [() => onlyKnown("startProxy", { tarjet: 1 }, ["target"]), "startProxy: unknown option tarjet; known: target"],
  ])("name the option, the value and the range (%#)", (check, message) => {
    expect(check).toThrow(new RangeError(message));
  });
});
