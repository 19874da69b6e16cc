import { describe, expect, it } from "vitest";
import { resultOf } from "./result.ts";
import { bindable } from "./values.ts";

const header = (affectedRows: number): object => ({ affectedRows, insertId: 0, serverStatus: 2 });
const columns = [{ name: "a", columnType: 3 }];

describe("resultOf", () => {
  it("reads rows, counts and nothing", () => {
    expect(resultOf("SELECT 1", [{ a: 1 }], columns)).toMatchObject({
      rows: [{ a: 1 }],
      rowCount: 1,
      command: "SELECT",
    });
    expect(resultOf("SELECT 1", [], columns).rowCount).toBe(0);
    expect(resultOf("DELETE FROM t", header(3), undefined)).toMatchObject({ rows: [], rowCount: 3, fields: [] });
  });

  it("reads rows that are arrays, as many as there are columns, as one answer", () => {
    expect(resultOf("SELECT 1", [[1]], columns).rows).toEqual([[1]]);
  });

  it("reads several answers, and leaves the last word of a procedure out", () => {
    const both = resultOf("SELECT 1; DELETE FROM t", [[{ a: 1 }], header(2)], [columns, undefined]);
    expect(both).toMatchObject([{ rowCount: 1 }, { rowCount: 2 }]);
    expect(resultOf("CALL p()", [[{ a: 1 }], header(0)], [columns, undefined]).rows).toEqual([{ a: 1 }]);
    expect(resultOf("CALL p()", header(0), undefined).rowCount).toBe(0);
  });
});

describe("bindable", () => {
  it("makes JSON of objects, and of lists that are not written into the text", () => {
    const when = new Date(0);
    const bytes = Buffer.from([1]);
    expect(bindable([1, "a", null, when, bytes, { a: 1 }, [1]], false)).toEqual([
      1,
      "a",
      null,
      when,
      bytes,
      '{"a":1}',
      "[1]",
    ]);
    expect(bindable([[1, 2]], true)).toEqual([[1, 2]]);
  });

  it.each([undefined, () => 1, Symbol("s")])("refuses %s", (value) => {
    expect(() => bindable([value], false)).toThrow(TypeError);
  });
});
