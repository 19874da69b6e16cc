import { describe, expect, it } from "vitest";
import { countOf, placeOf } from "./gtid.ts";

describe("the place of a primary", () => {
  it("is in the new history as soon as it may write, not only after its first write", () => {
    const state = "0-2-50,0-1-100";
    expect(placeOf("0-1-100", state, 2)).toEqual({ timeline: 100, position: 100n });
    expect(placeOf("0-2-101", "0-1-100,0-2-101", 2)).toEqual({ timeline: 100, position: 101n });
    // A replica that has followed it, and one that has not yet.
    expect(placeOf("0-2-101", "0-1-100,0-2-101")).toEqual({ timeline: 100, position: 101n });
    expect(placeOf("0-1-100", state)).toEqual({ timeline: 50, position: 100n });
  });

  it("is in the old history when it comes back with writes of its own", () => {
    expect(placeOf("0-1-105", "0-2-50,0-1-105", 1)).toEqual({ timeline: 50, position: 105n });
  });
});

describe("placeOf", () => {
  it("is the sequence number, on the timeline that began when the present writer took over", () => {
    expect(placeOf("0-1-100", "0-1-100")).toEqual({ timeline: 0, position: 100n });
    expect(placeOf("0-2-150", "0-1-103,0-2-150")).toEqual({ timeline: 103, position: 150n });
    expect(placeOf("0-1-200", "0-1-200,0-2-150")).toEqual({ timeline: 150, position: 200n });
  });

  it("leaves an old writer behind that has what nobody else has", () => {
    const old = placeOf("0-1-105", "0-1-105");
    const heir = placeOf("0-2-104", "0-1-103,0-2-104");
    expect(old?.timeline).toBeLessThan(heir?.timeline ?? 0);
  });

  it("counts nothing that lies ahead: a replica's log is ahead of what can be seen", () => {
    expect(placeOf("0-1-103", "0-1-103,0-2-104")).toEqual({ timeline: 0, position: 103n });
  });

  it("tells nothing of no id, of several domains and of what is none", () => {
    for (const last of ["", null, undefined, 7, "0-1-5,1-1-9", "x-1-2"]) expect(placeOf(last, "0-1-5")).toBeUndefined();
  });
});

describe("countOf", () => {
  it("counts what is there without a gap", () => {
    expect(countOf("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5")).toBe(5n);
    expect(countOf("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7-9,\n4e11fa47-71ca-11e1-9e33-c80aa9429562:1")).toBe(6n);
    expect(countOf("3e11fa47-71ca-11e1-9e33-c80aa9429562:2-5")).toBe(0n);
    expect(countOf("")).toBe(0n);
    expect(countOf(undefined)).toBeUndefined();
  });
});
