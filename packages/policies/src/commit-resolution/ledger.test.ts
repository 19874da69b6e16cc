import { describe, expect, it } from "vitest";
import { ledgerSweepSql, ledgerTableSql } from "./ledger.ts";

describe("ledger", () => {
  it("quotes the table's name, part by part", () => {
    expect(ledgerTableSql()).toContain('"breakwater_ledger"');
    expect(ledgerTableSql("audit.Done")).toContain('"audit"."Done"');
    expect(ledgerSweepSql(60, 'a"; DROP TABLE b; --')).toContain('"a""; DROP TABLE b; --"');
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "refuses to sweep what is older than %s seconds",
    (age) => {
      expect(() => ledgerSweepSql(age)).toThrow(RangeError);
    },
  );
});
