import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatLsn, parseLsn } from "./position.ts";

describe("position", () => {
  it("reads and writes as PostgreSQL does", () => {
    expect(parseLsn("16/B374D848")).toBe(0x16_b374_d848n);
    expect(formatLsn(0x16_b374_d848n)).toBe("16/B374D848");
    expect(formatLsn(0n)).toBe("0/0");
    expect(parseLsn("FFFFFFFF/FFFFFFFF")).toBe(0xffff_ffff_ffff_ffffn);
  });

  it("comes back to the same number", () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }), (n) => parseLsn(formatLsn(n)) === n));
  });

  it("reads nothing else", () => {
    for (const text of ["", "/", "1", "1/", "/1", "1/2/3", "g/1", " 1/2", "1/2 ", "1/2\n", "123456789/1", "0x1/2"]) {
      expect(parseLsn(text), text).toBeUndefined();
    }
    expect(() => formatLsn(-1n)).toThrow(RangeError);
    expect(() => formatLsn(1n << 64n)).toThrow(RangeError);
  });
});
