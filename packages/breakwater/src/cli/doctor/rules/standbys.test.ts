import { describe, expect, it } from "vitest";
import { matching, required } from "./standbys.ts";

const senders = ["n2", "N3", 'it, "self"'].map((application) => ({ application, state: "streaming" }));

describe("synchronous_standby_names", () => {
  it.each([
    ["", 0, 0],
    ["  ", 0, 0],
    ["n2", 1, 1],
    ["n2, n3", 1, 2],
    ["*", 1, 3],
    ["2 (n2, n3, n4)", 2, 2],
    ["FIRST 1 (n4)", 1, 0],
    ["any 2 (n2,n3)", 2, 2],
    ['ANY 1 ("N2", "it, ""self""")', 1, 2],
    ["ANY 2 (*)", 2, 3],
  ])("%s waits for %i, of %i that are there", (value, needed, there) => {
    expect([required(value), matching(value, senders)]).toEqual([needed, there]);
  });

  it("counts nobody who is still catching up, and everybody whose state is hidden", () => {
    const states = ["catchup", "streaming", undefined].map((state) => ({ application: "n2", state }));
    expect(matching("n2", states)).toBe(2);
  });
});
