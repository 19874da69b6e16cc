import { describe, expect, it } from "vitest";
import { readLife, relate } from "./life.ts";

const relation = (then: string, now: string): string => relate(readLife(then), readLife(now));

describe("life", () => {
  it("is the same only where start and statistics are known and equal", () => {
    expect(relation("1/2/00000001/9", "1/2/00000001/9")).toBe("same");
    expect(relation("1/2", "1/2")).toBe("same");
    expect(relation("1", "1")).toBe("later");
    expect(relation("1/", "1/")).toBe("later");
    expect(relation("", "")).toBe("unrelated");
  });

  it("is a later one after a crash of one process, a restart and a promotion", () => {
    expect(relation("1/2/00000001/9", "1/3/00000001/9")).toBe("later");
    expect(relation("1/2/00000001/9", "4/3/00000001/9")).toBe("later");
    expect(relation("1/2/0000000A/9", "4/3/0000000B/9")).toBe("later");
  });

  it("is no later one where the history is older, another cluster's, or not told", () => {
    expect(relation("1/2/0000000A/9", "4/3/00000009/9")).toBe("stale");
    expect(relation("1/2/00000001/9", "4/3/00000002/8")).toBe("foreign");
    expect(relation("1/2", "4/3/00000001/9")).toBe("unrelated");
    expect(relation("1/2/00000001", "4/3")).toBe("unrelated");
  });
});
