import { describe, expect, it } from "vitest";
import { filesBelow, packages, read, sourcesOf } from "./tree.ts";

/** A file longer than this holds two things. */
const MAX_LINES = 300;
/** How long the middle file of the tree may be: when half of the files are longer, the tree is hard to find one's way in. */
const MAX_MIDDLE_LINES = 130;

const sources = packages().flatMap(sourcesOf);

function lines(file: string, text: string = read(file)): number {
  // What a tool has written is not read from top to bottom.
  return /generated/i.test(text.slice(0, 400)) ? 0 : text.trimEnd().split("\n").length;
}

/** Notes to oneself: what is left to do is an issue, not a comment. */
function notes(text: string): string[] {
  return text.match(/\b(?:TO[D]O|FIX[M]E|HAC[K]|XX[X])\b/g) ?? [];
}

describe("source files", () => {
  it(`are at most ${MAX_LINES} lines long`, () => {
    const long = sources.map((file) => [file, lines(file)] as const).filter(([, length]) => length > MAX_LINES);
    expect(long).toEqual([]);
  });

  it(`are in the middle at most ${MAX_MIDDLE_LINES} lines long`, () => {
    const lengths = sources.map((file) => lines(file)).toSorted((a, b) => a - b);
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThanOrEqual(MAX_MIDDLE_LINES);
  });

  it("leave nothing to do in a comment", () => {
    const files = ["packages", "test", "examples", "docs", ".ci"].flatMap((folder) => filesBelow(folder));
    const texts = [...files, "README.md", "CONTRIBUTING.md"].filter((file) => /\.(?:m?ts|md|json|ya?ml)$/.test(file));
    expect(texts.length).toBeGreaterThan(sources.length);
    expect(texts.filter((file) => notes(read(file)).length > 0)).toEqual([]);
  });

  it("would be told otherwise", () => {
    expect(notes(["// TO", "DO: later"].join(""))).toHaveLength(1);
    expect(lines("planted.ts", "x\n".repeat(MAX_LINES + 1))).toBeGreaterThan(MAX_LINES);
  });
});
