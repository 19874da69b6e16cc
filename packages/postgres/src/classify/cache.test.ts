import { describe, expect, it } from "vitest";
import { GenerationalCache } from "./cache.ts";

describe("GenerationalCache", () => {
  it("keeps what is in use and forgets the rest", () => {
    const cache = new GenerationalCache<number>({ maxEntries: 10 });
    cache.set("kept", 1);
    cache.set("left", 2);
    for (let index = 0; index < 100; index++) {
      cache.set(`text ${index}`, index);
      expect(cache.get("kept")).toBe(1);
    }
    expect(cache.get("left")).toBeUndefined();
  });
  it("bounds the entries", () => {
    const cache = new GenerationalCache<number>({ maxEntries: 10 });
    for (let index = 0; index < 1_000; index++) cache.set(`text ${index}`, index);
    expect(cache.size).toBeLessThanOrEqual(20);
    expect(cache.get("text 999")).toBe(999);
  });
  it("bounds the characters", () => {
    const cache = new GenerationalCache<number>({ maxCharacters: 1_000 });
    for (let index = 0; index < 100; index++) cache.set(String(index).padEnd(100), index);
    expect(cache.size).toBeLessThanOrEqual(20);
  });
  it("does not keep a long text", () => {
    const cache = new GenerationalCache<number>({ maxLength: 10 });
    cache.set("x".repeat(11), 1);
    expect(cache.get("x".repeat(11))).toBeUndefined();
  });
});
