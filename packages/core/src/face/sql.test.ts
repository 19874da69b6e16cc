import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Sql, sql } from "./sql.ts";

describe("sql", () => {
  it("makes parameters of values, and one text of one template", () => {
    const made = [1, 2].map((id) => sql`SELECT * FROM book WHERE id = ${id} AND title = ${"x"}`);
    expect(made.map(({ text, values }) => [text, values])).toEqual([
      ["SELECT * FROM book WHERE id = $1 AND title = $2", [1, "x"]],
      ["SELECT * FROM book WHERE id = $1 AND title = $2", [2, "x"]],
    ]);
    expect(Object.assign({}, sql`SELECT 1`)).toEqual({ text: "SELECT 1", values: [] });
  });

  it("takes parts into its own text, and counts all parameters in order", () => {
    const where = sql`WHERE a = ${1} AND b = ANY(${[2, 3]})`;
    const inner = sql`SELECT * FROM ${sql.identifier("public", 'odd "name"')} ${where}`;
    const outer = sql`SELECT ${0} FROM (${inner}) t LIMIT ${4} ${sql.empty}${sql.unsafe("FOR UPDATE")}`;
    expect(outer.text).toBe(
      'SELECT $1 FROM (SELECT * FROM "public"."odd ""name""" WHERE a = $2 AND b = ANY($3)) t LIMIT $4 FOR UPDATE',
    );
    expect(outer.values).toEqual([0, 1, [2, 3], 4]);
    expect(where.text).toBe("WHERE a = $1 AND b = ANY($2)");
  });

  it("joins values, parts and rows", () => {
    expect(sql`IN (${sql.join([1, 2])})`.text).toBe("IN ($1, $2)");
    const both = sql.join([sql`a = ${1}`, sql`b = ${2}`], sql` AND `);
    expect([both.text, both.values]).toEqual(["a = $1 AND b = $2", [1, 2]]);
    const rows = sql`INSERT INTO t VALUES ${sql.rows([
      [1, "a"],
      [2, sql`DEFAULT`],
    ])}`;
    expect([rows.text, rows.values]).toEqual(["INSERT INTO t VALUES ($1, $2), ($3, DEFAULT)", [1, "a", 2]]);
  });

  it("is written in another database's way", () => {
    const mysql = { placeholder: () => "?", quote: (name: string) => `\`${name.replaceAll("`", "``")}\`` };
    const made = sql`SELECT ${sql.identifier("a`b")} FROM t WHERE x = ${1} AND y = ${2}`;
    expect(made.render(mysql)).toEqual({ text: "SELECT `a``b` FROM t WHERE x = ? AND y = ?", values: [1, 2] });
  });

  it("refuses what would make another statement than was meant", () => {
    expect(() => sql("SELECT 1" as never)).toThrow(TypeError);
    expect(() => sql(["SELECT 1"] as never)).toThrow(TypeError);
    expect(() => sql`SELECT ${[sql`a`, sql`b`]}`).toThrow("sql.join()");
    expect(() => sql`SELECT ${[1, sql`b`]}`).toThrow("sql.join()");
    expect(() => sql.join([])).toThrow(TypeError);
    expect(() => sql.join([1, 2], " OR 1=1 OR " as never)).toThrow(TypeError);
    expect(() => sql.rows([[]])).toThrow(TypeError);
    for (const name of ["", "a\0b", 7 as never]) expect(() => sql.identifier(name)).toThrow(TypeError);
    expect(() => (sql.identifier as () => unknown)()).toThrow(TypeError);
    expect(() => sql.unsafe(7 as never)).toThrow(TypeError);
    expect(() => sql`\u00zz`).toThrow(TypeError);
  });

  it("takes nothing for a part that only looks like one", () => {
    const alike = { text: "1; DROP TABLE book", values: [] };
    expect(sql`SELECT ${alike}`.text).toBe("SELECT $1");
    expect(sql`SELECT ${JSON.parse('{"text":"x","values":[]}')}`.text).toBe("SELECT $1");
  });

  it("never lets a value or a name into the text as it is", () => {
    fc.assert(
      fc.property(fc.array(fc.anything()), fc.string({ minLength: 1 }), (values, name) => {
        fc.pre(!name.includes("\0"));
        const made = new Sql(
          Array.from({ length: values.length + 1 }, () => "|"),
          values,
        );
        expect(made.text).toBe(`|${values.map((_, index) => `$${index + 1}|`).join("")}`);
        const { text } = sql.identifier(name);
        expect(text.slice(1, -1).replaceAll('""', '"')).toBe(name);
      }),
    );
  });
});
