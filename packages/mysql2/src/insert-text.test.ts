import { describe, expect, it } from "vitest";
import { insertText, withRows } from "./insert-text.ts";

describe("insertText", () => {
  it.each([
    ["INSERT INTO t VALUES (?, ?)", "t", 2],
    ["insert into app.`my table`(a, `b`) value (? ,?);  ", "app.`my table`", 2],
    ["INSERT t(a)VALUES(?)", "t", 1],
    [
      "  REPLACE INTO t (a, b)\n VALUES\n (?, 'it', -1.5, NULL, DEFAULT, true, NOW(), current_timestamp, NOW(3))",
      "t",
      1,
    ],
    ["INSERT INTO t VALUES (?, ?) ON DUPLICATE KEY UPDATE n = VALUES(n)", "t", 2],
    ["INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE n = n + 1, `m` = GREATEST(m, VALUES(m)), o = 'x,y';", "t", 1],
    ["INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE n = IF(n = 0 OR (m > 1), -n, COALESCE(n, t.m))", "t", 1],
  ])("takes %s", (text, table, width) => {
    const found = insertText(text);
    expect(found).toMatchObject({ table, width });
    const { head, list, tail } = found!;
    expect(text.startsWith(head + list + tail)).toBe(true);
    expect(withRows(found!, 1)).toBe(head + list + tail);
    expect(withRows(found!, 3)).toBe(`${head}${list}, ${list}, ${list}${tail}`);
  });

  it.each([
    "",
    "UPDATE t SET a = ?",
    "SELECT ?",
    "INSERT INTO t VALUES (1)",
    "INSERT INTO t VALUES (?), (?)",
    "INSERT INTO t VALUES (? + 1)",
    "INSERT INTO t VALUES ((?))",
    "INSERT INTO t VALUES (?, (SELECT 1))",
    "INSERT INTO t VALUES (?, UUID())",
    "INSERT INTO t VALUES (?, LAST_INSERT_ID())",
    "INSERT INTO t VALUES (?, @a)",
    "INSERT INTO t VALUES (?, 'a?b')",
    "INSERT INTO t VALUES (?, 'a\\\\')",
    "INSERT INTO t VALUES (?, 'it''s')",
    'INSERT INTO t VALUES (?, "a")',
    'INSERT INTO "t" VALUES (?)',
    "INSERT INTO t VALUES (?) RETURNING id",
    "INSERT INTO t VALUES (?) AS new ON DUPLICATE KEY UPDATE a = new.a",
    "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = ?",
    "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = 1 RETURNING id",
    "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = (SELECT 1)",
    "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = LAST_INSERT_ID(a)",
    "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = app.fn(1)",
    "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = `fn` (1)",
    "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = @a",
    "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = 1 -- ",
    "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = 1 /* x */",
    "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = 1; DELETE FROM t",
    "INSERT INTO t VALUES (?); DELETE FROM t",
    "INSERT INTO t VALUES (?) # x",
    "INSERT /* x */ INTO t VALUES (?)",
    "/*! INSERT */ INSERT INTO t VALUES (?)",
    "INSERT IGNORE INTO t VALUES (?)",
    "INSERT IGNORE t VALUES (?)",
    "INSERT DELAYED INTO t VALUES (?)",
    "INSERT INTO t PARTITION (p) VALUES (?)",
    "INSERT INTO t SET a = ?",
    "INSERT INTO t SELECT ?",
    "INSERT INTO tVALUES (?)",
    "INSERT INTO t (a b) VALUES (?)",
    "INSERT INTO `t``x` VALUES (?)",
    "EXPLAIN INSERT INTO t VALUES (?)",
    "WITH a AS (SELECT 1) INSERT INTO t VALUES (?)",
    `INSERT INTO t VALUES (?${" ".repeat(20_000)})`,
  ])("leaves alone: %s", (text) => {
    expect(insertText(text)).toBeUndefined();
  });

  it("takes time in proportion to the length of the text", () => {
    const texts = [
      `INSERT INTO t (${"a,".repeat(4_000)}`,
      `INSERT INTO t VALUES (${"?,".repeat(4_000)}`,
      `INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE ${"a ".repeat(4_000)}?`,
      `INSERT INTO ${"a".repeat(9_000)}`,
      `INSERT${" ".repeat(9_000)}`,
      `INSERT INTO t VALUES (?${" ".repeat(9_000)}`,
      `INSERT INTO t VALUES (?)${" ".repeat(9_000)}x`,
    ];
    for (const text of texts) expect(insertText(text)).toBeUndefined();
  });
});
