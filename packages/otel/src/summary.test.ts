import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BoundedNames, RecentTexts } from "./bounded-names.ts";
import { sanitized, summaryOf } from "./summary.ts";

const said = (sql: string): string => summaryOf(sql, true).text;

describe("summaryOf", () => {
  it.each([
    ["SELECT 1", "SELECT"],
    ["select * from orders where id = $1", "SELECT orders"],
    ["SELECT * FROM shop.orders o LEFT JOIN customers c ON c.id = o.customer", "SELECT shop.orders customers"],
    ["INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2", "INSERT orders"],
    ["INSERT INTO orders SELECT * FROM old_orders", "INSERT orders old_orders"],
    ["UPDATE ONLY orders SET note = 'FROM secret' WHERE id = 1", "UPDATE orders"],
    ["DELETE FROM orders WHERE id IN (SELECT id FROM gone)", "DELETE orders gone"],
    ["WITH a AS (DELETE FROM orders RETURNING *) SELECT * FROM a", "SELECT orders a"],
    ["WITH a AS (SELECT 1) INSERT INTO orders TABLE a", "INSERT orders a"],
    ["SELECT * FROM orders FOR UPDATE", "SELECT orders"],
    ["SELECT a IS DISTINCT FROM b FROM orders", "SELECT orders"],
    ["SELECT * FROM generate_series(1, 3) JOIN orders USING (id)", "SELECT orders"],
    ['SELECT * FROM "Orders" WHERE "FROM" = 1', "SELECT Orders"],
    ["/* FROM secret */ SELECT 1 -- FROM secret", "SELECT"],
    ["CREATE TABLE IF NOT EXISTS orders (id int)", "CREATE orders"],
    ["COPY orders (id) FROM STDIN", "COPY orders STDIN"],
    ["BEGIN", "BEGIN"],
    ["hunter2 is no statement", "OTHER"],
    ["", "OTHER"],
    ["SELECT 'unfinished", "SELECT"],
  ])("makes of %s: %s", (sql, expected) => {
    expect(said(sql)).toBe(expected);
  });

  it("is at most 255 characters of at most five tables", () => {
    const tables = Array.from({ length: 40 }, (_, at) => `${"t".repeat(60)}${at}`);
    const text = said(`SELECT * FROM ${tables.join(" JOIN ")}`);
    expect(text.length).toBeLessThanOrEqual(255);
    expect(text.split(" ").length).toBeLessThanOrEqual(6);
  });

  it("shows nothing of a literal, whatever it holds and wherever it stands", () => {
    // Such a name is in no statement by chance.
    const secret = "zq17secret";
    const filler = fc.string().map((text) => text.replaceAll("'", "''").replaceAll("\\", ""));
    fc.assert(
      fc.property(filler, filler, fc.boolean(), (before, after, ansi) => {
        const literal = `'${before} FROM ${secret} ${after}'`;
        const sql = `SELECT * FROM orders WHERE note = ${literal} AND ${literal} = note`;
        expect(summaryOf(sql, ansi).text).not.toContain(secret);
        expect(sanitized(sql, ansi) ?? "").not.toContain(secret);
      }),
    );
  });

  it("takes any text, quickly", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 500 }), fc.boolean(), (sql, ansi) => {
        expect(summaryOf(sql, ansi).text.length).toBeLessThanOrEqual(255);
        sanitized(sql, ansi);
      }),
    );
    for (const piece of ["'", "/*", "$$", "--\n", "((", "e'", "SELECT ", "$a$ $b$ ", "1e", '"'])
      summaryOf(piece.repeat(200_000), true);
  });
});

describe("sanitized", () => {
  it.each([
    ["SELECT * FROM a WHERE x = 'b' AND y = 1.5e3 AND z = $1", "SELECT * FROM a WHERE x = ? AND y = ? AND z = $1"],
    ["SELECT $tag$ it's $$ inside $tag$, E'x', X'ff', U&'d'", "SELECT ?"],
    ["SELECT f(1, 2), a.b FROM c -- it's\n", "SELECT f (?), a.b FROM c"],
    ["INSERT INTO a VALUES (1, 'b'), (2, 'c')", "INSERT INTO a VALUES (?), (?)"],
    ["SELECT /* outer /* inner */ 'x' */ 1", "SELECT ?"],
  ])("makes of %s: %s", (sql, expected) => {
    expect(sanitized(sql, true)).toBe(expected);
  });

  it("says nothing where it is not plain where data ends", () => {
    expect(sanitized(String.raw`SELECT 'a\' OR secret = 'b'`, true)).toBeUndefined();
    expect(sanitized("SELECT 'unfinished", true)).toBeUndefined();
    expect(sanitized("SELECT $$unfinished", true)).toBeUndefined();
    expect(sanitized("SELECT /* unfinished", true)).toBeUndefined();
  });

  it("takes double quotes for data where the database does", () => {
    expect(sanitized('SELECT "secret", `name` FROM a # secret', false)).toBe("SELECT ?, `name` FROM a");
    expect(sanitized('SELECT "name" FROM a', true)).toBe('SELECT "name" FROM a');
  });
});

describe("BoundedNames", () => {
  it("tells so many apart and no more", () => {
    const names = new BoundedNames(2);
    expect(["a", "b", "c", "a", "d"].map((name) => names.of(name, "other"))).toEqual(["a", "b", "other", "a", "other"]);
  });
});

describe("RecentTexts", () => {
  it("makes the value of a text that is in use once, and holds at most two generations", () => {
    const texts = new RecentTexts<string>(10);
    let made = 0;
    const make = (text: string): string => {
      made += 1;
      return text.toUpperCase();
    };
    for (let each = 0; each < 100; each += 1) {
      expect(texts.get("always", make)).toBe("ALWAYS");
      texts.get(`text ${each}`, make);
    }
    expect(made).toBe(101);
  });
});
