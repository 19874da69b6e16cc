import { describe, expect, it } from "vitest";
import { classify, commandOf, commits, commitsInParts } from "./classify.ts";

const reads = [
  "SELECT 1",
  "select * from t where a = 'for update' -- into outfile\n and b = \"x\" # delete",
  "(SELECT 1) UNION (SELECT 2)",
  "/* delete */ SELECT count(*), `update`, t.`delete`, t.delete FROM t",
  "WITH a (x, y) AS (SELECT 1, 2), b (z) AS (SELECT 3) SELECT * FROM a, b",
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT * FROM n",
  "SELECT REPLACE(a, 'x', 'y'), INSERT(a, 1, 2, 'z'), IF(a, b, c), LEFT(a, 1) FROM t WHERE a IN (1, 2)",
  "SELECT CAST(a AS DECIMAL(10, 2)), CONVERT(b, CHAR(3)), x'41', 0x41, 1e5 FROM t",
  "SELECT a, ROW_NUMBER() OVER (PARTITION BY b ORDER BY c) FROM t WINDOW w AS (ORDER BY a)",
  "SELECT * FROM t USE INDEX (i) JOIN u USING (a) GROUP BY a WITH ROLLUP",
  "SELECT a FROM t AS x (a) ORDER BY a",
  "VALUES (1), (2)",
  "VALUES ROW(1, 2)",
  "EXPLAIN SELECT 1",
  "DESCRIBE t",
  "ANALYZE FORMAT=JSON SELECT * FROM t",
  "SHOW TABLES",
  "SHOW CREATE TABLE t",
  "SHOW FULL COLUMNS FROM t",
  "SELECT SLEEP(1)",
  "DO SLEEP(1)",
  "SELECT * FROM information_schema.TABLES",
  "SELECT 'it''s', 'a\\'b', \"say \"\"hi\"\"\"",
  "SELECT 1;",
  "SELECT JSON_TABLE('[1]', '$[*]' COLUMNS (a INT PATH '$'))",
];

const writes = [
  "INSERT INTO t VALUES (1)",
  "UPDATE t SET a = 1",
  "DELETE FROM t",
  "REPLACE INTO t VALUES (1)",
  "SELECT * FROM t FOR UPDATE",
  "SELECT * FROM t FOR SHARE SKIP LOCKED",
  "SELECT * FROM t LOCK IN SHARE MODE",
  "SELECT * INTO OUTFILE '/tmp/x' FROM t",
  "WITH a AS (SELECT 1) DELETE FROM t WHERE id IN (SELECT * FROM a)",
  "WITH a AS (SELECT 1) UPDATE t SET x = 1",
  "SELECT NEXTVAL(s)",
  "SELECT NEXT VALUE FOR s",
  "SELECT s.nextval",
  "SELECT own(1)",
  "SELECT app.count(1)",
  "SELECT `sleep`(1)",
  'SELECT "f"(1)',
  "SELECT LOAD_FILE('/etc/hosts')",
  "SELECT * FROM performance_schema.threads",
  "SELECT * FROM information_schema.PROCESSLIST",
  "SELECT * FROM information_schema.innodb_trx",
  "SHOW FULL PROCESSLIST",
  "SHOW SLAVE STATUS",
  "EXPLAIN UPDATE t SET a = 1",
  "CALL p()",
  "KILL 1",
  "CREATE TABLE t (a int)",
  "LOAD DATA INFILE 'x' INTO TABLE t",
  "SELECT 1; DELETE FROM t",
  "SELECT 1 /*!50000 FOR UPDATE */",
  "/*M!100100 SELECT */ 1",
  "SELECT 'not closed",
  "SELECT 1 /* not closed",
  "",
  ";",
  // Without backslashes as escapes the string ends earlier.
  "SELECT 'a\\' FOR UPDATE; -- '",
];

const sessions = [
  "SET @a = 1",
  "SET SESSION sql_mode = ''",
  "USE app",
  "LOCK TABLES t WRITE",
  "PREPARE s FROM 'SELECT 1'",
  "START TRANSACTION",
  "BEGIN",
  "COMMIT",
  "SELECT @a",
  "SELECT @a := 1",
  "SELECT @'quoted name'",
  "SELECT @@version",
  "SELECT 1 INTO @a",
  "SELECT LAST_INSERT_ID()",
  "SELECT GET_LOCK('a', 0)",
  "SELECT FOUND_ROWS()",
  "SELECT LASTVAL(s)",
  "CREATE TEMPORARY TABLE x (a int)",
  "CREATE OR REPLACE TEMPORARY TABLE x (a int)",
  "SHOW WARNINGS",
  "SHOW VARIABLES LIKE 'x'",
  "DELETE FROM t; SET @a = 1",
];

describe("classify", () => {
  it.each(reads)("takes for a read: %s", (text) => expect(classify(text)).toBe("read"));
  it.each(writes)("takes for a write: %s", (text) => expect(classify(text)).toBe("write"));
  it.each(sessions)("takes for one of a session: %s", (text) => expect(classify(text)).toBe("session"));

  it("takes time in proportion to the text", () => {
    for (const part of ["(", "'\\", "/*", "`", "@", "--", "a.", "WITH ", "/*!1 "]) {
      const before = performance.now();
      classify(`SELECT ${part.repeat(100_000)}`);
      expect(performance.now() - before).toBeLessThan(2_000);
    }
  });
});

describe("commits", () => {
  it.each([
    "COMMIT",
    "commit and chain",
    "CREATE TABLE t (a int)",
    "TRUNCATE t",
    "LOCK TABLES t READ",
    "SET autocommit = 1",
    "SET @@session.autocommit = 1",
    "CALL p()",
    "EXECUTE s",
    "BEGIN",
    "XA COMMIT 'x'",
    "INSERT INTO t VALUES (1); COMMIT",
    "/*!50000 COMMIT */",
  ])("sees that %s does", (text) => expect(commits(text)).toBe(true));

  it.each([
    "SELECT 1",
    "INSERT INTO t VALUES ('COMMIT; ')",
    "ROLLBACK",
    "SAVEPOINT a",
    "CREATE TEMPORARY TABLE x (a int)",
    "DROP TEMPORARY TABLE x",
    "SET @a = 1",
    "UPDATE t SET commit = 1",
    "-- COMMIT",
  ])("sees that %s does not", (text) => expect(commits(text)).toBe(false));
});

describe("commitsInParts", () => {
  it("is so for several statements, and for what runs others", () => {
    for (const text of ["INSERT INTO t VALUES (1); SELECT 1", "CALL p()", "BEGIN NOT ATOMIC SELECT 1; END"])
      expect(commitsInParts(text)).toBe(true);
    for (const text of ["INSERT INTO t VALUES (1);", "SELECT ';'", "BEGIN"]) expect(commitsInParts(text)).toBe(false);
  });
});

describe("commandOf", () => {
  it("is the first word", () => {
    expect(commandOf("/* x */ insert into t values (1)")).toBe("INSERT");
    expect(commandOf("(SELECT 1)")).toBe("SELECT");
    expect(commandOf("")).toBe("");
  });
});
