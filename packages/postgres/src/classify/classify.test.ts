import { describe, expect, it } from "vitest";
import { classify, inspect, inspectAnew } from "./classify.ts";

const reads = [
  "",
  "-- nothing\n;",
  "select 1",
  "  ;; SELECT 1 ;",
  "((select 1) union all (select 2)) order by 1",
  "/*+ IndexScan(t) */ select * from t where id = $1::bigint",
  "/* a /* nested */ comment */ table t",
  "values (1, 'a'), (2, 'b')",
  `select "u"."id", count(*) filter (where "o"."paid") from "users" "u" left join orders o on (o.user_id = "u".id) group by 1`,
  "with a(x, y) as (select 1, 2), b as materialized (select * from a) select * from b",
  "with recursive t(n) as (values (1) union all select n + 1 from t where n < 9) select sum(n) from t",
  "select * from (select 1) as t(a), lateral generate_series(1, t.a) with ordinality s(n, i)",
  "select row_number() over (partition by (a) order by (b)) from t window w as (partition by c)",
  "select percentile_cont(0.5) within group (order by x) from t group by grouping sets ((a), rollup (b, c), cube (d))",
  "select distinct on (a, b) a, lower(c) from t order by a, b",
  "select cast(x as numeric(10,2)), y::varchar(3), z::my_type(4), interval '1' day from t",
  "select extract(epoch from now()), position('a' in b), substring(c from 1 for 2), trim(both 'x' from d) from t",
  "select * from t where a in (1, 2) and b = any($1) and not exists (select 1) and c not ilike ('x')",
  "select coalesce(a, nullif(b, 0)), greatest(a, b), array(select 1), row(1, 2) from t",
  "select x at time zone ('utc') from t",
  "select a operator(pg_catalog.+) b from t",
  "select 'insert into t; -- ', $$ delete $$, $a$ $$ $a$, E'it\\'s', U&'\\0041', B'01', X'ff', N'n' from t",
  "select * from t where a like 'a\\%' escape '\\'",
  "select update, t.delete from t",
  "select t.nextval_count, currval from t",
  "select last_value(x) over () as last_value from t",
  "select information_schema._pg_expandarray(i.indkey) from pg_index i",
  "explain select 1",
  "explain (analyze, format json) (select 1)",
  "explain analyze verbose with a as (select 1) table a",
  "explain (analyze false) values (1)",
  "select * from json_table('[]', '$[*]' columns (a int path '$.a', nested path '$.b' columns (b text path '$'))) j",
  "select pg_sleep(1), random(), gen_random_uuid(), version(), current_user, pg_column_size(1)",
  "select * from t tablesample bernoulli (10) repeatable (1)",
  "select 1e5, .5, 1., 0x1f, 1_000",
];

const writes = [
  "insert into t values (1)",
  "/* select */ update t set a = 1",
  "select 1; delete from t",
  "with x as (insert into t values (1) returning *) select * from x",
  "with x as (select 1) update t set a = 1",
  "with values as (select 1) delete from t",
  "select * from (with x as (/**/ delete from t returning *) select * from x) y",
  "select * into t2 from t",
  "create table t as select 1",
  "select * from t for update",
  "select * from t for /* */ no key update skip locked",
  "select * from (select * from t for share of t) x",
  "select * from t where id = 1for key share",
  "select nextval('s')",
  "select pg_catalog.nextval('s')",
  `select "nextval"('s')`,
  `select PG_CATALOG . /* */ "setval" -- x\n ('s', 1)`,
  "select ('s'::regclass).nextval",
  "select s.nextval from cast('s' as regclass) s",
  "select my_function(1)",
  "select public.lower('x')",
  `select "NEXTVAL"('s')`,
  "select distinct on (a) my_function(b) from t",
  "select 1 operator(pg_catalog.+) my_function(2)",
  "select x at time zone my_function(1) from t",
  "select loo\u212a(1)",
  "select lo_get(1), txid_current()",
  "select query_to_xml('delete from t', true, true, '')",
  "select pg_is_in_recovery()",
  "select * from pg_stat_activity",
  "select last_value from some_sequence",
  "explain insert into t values (1)",
  "explain analyze delete from t",
  "explain (analyze) update t set a = 1",
  "explain",
  "call p()",
  "do $$ begin end $$",
  "notify x",
  "vacuum",
  "lock table t",
  "refresh materialized view v",
  "anything else",
  `select U&"d\\0061ta" from t`,
  // Malformed: the text may be cut short.
  "select 'a",
  "select /* /* */ 1",
  "select $a$ $b$",
  'select "a',
  "select (1",
  "select 1)",
  "select \\ 1",
  "select $",
];

const sessions = [
  "set search_path = x",
  "reset all",
  "show transaction_read_only",
  "begin",
  "commit",
  "savepoint a",
  "listen x",
  "prepare p as select 1",
  "execute p",
  "declare c cursor for select 1",
  "fetch next from c",
  "copy t to stdout",
  "create temp table t (a int)",
  "create or replace temporary view v as select 1",
  "select * into temp t2 from t",
  "select set_config('a', 'b', false)",
  "select pg_catalog.set_config('search_path', '', false)",
  "select pg_advisory_lock(1)",
  "select pg_try_advisory_lock(1)",
  "insert into t values (currval('s'))",
  "select lastval()",
  "select setseed(0.5)",
  "select current_setting('a')",
  "select * from pg_settings",
  "select * from pg_temp.t",
  "select * from pg_temp_3.t",
  "select 1; delete from t; set a = 1",
  "explain execute p",
];

describe("classify", () => {
  it.each(reads)("calls a read: %s", (sql) => {
    expect(classify(sql)).toBe("read");
  });
  it.each(writes)("calls a write: %s", (sql) => {
    expect(classify(sql)).toBe("write");
  });
  it.each(sessions)("calls a session's: %s", (sql) => {
    expect(classify(sql)).toBe("session");
  });

  it("answers the same when asked again", () => {
    for (const sql of [...reads, ...writes, ...sessions]) expect(inspect(sql)).toEqual(inspectAnew(sql));
  });

  describe("with a backslash before a quote", () => {
    it("takes the stricter of the two readings", () => {
      // With standard_conforming_strings off, the string ends at the third quote.
      expect(classify("select 'a\\', nextval('s') --'")).toBe("write");
      expect(classify("select 'a\\'' , nextval(1) , '\\''")).toBe("write");
      expect(classify("select '\\' , 'x', set_config('a', 'b', false) , ' '")).toBe("session");
    });
    it("ignores a reading that is no text", () => {
      expect(classify("select * from t where a like 'x' escape '\\'")).toBe("read");
    });
  });

  describe("with hostile texts", () => {
    const size = 200_000;
    const texts: Record<string, string> = {
      "nested comments": `${"/*".repeat(size)}${"*/".repeat(size)}select 1`,
      "unterminated comments": "/*".repeat(size),
      parentheses: `select ${"(".repeat(size)}1${")".repeat(size)}`,
      "dollar tags": `select ${Array.from({ length: size }, (_, index) => `$a${index}$`).join(" ")}`,
      "a long dollar tag": `select $${"a".repeat(size)}$ ${"a".repeat(size)}`,
      "doubled quotes": `select '${"''".repeat(size)}`,
      backslashes: `select E'${"\\".repeat(size)}'`,
      "ambiguous quotes": `select ${"'\\' || ".repeat(size)}''`,
      "escape strings": `select ${"E'' /* */ ".repeat(size)}`,
      "qualified names": `select ${"a.".repeat(size)}f(1)`,
      "unknown functions": `select ${"f(1), ".repeat(size)}1`,
      "sequence columns": `select ${"last_value /**/ , ".repeat(size)}1`,
      "sequence columns before comments": `select last_value ${"/**/".repeat(size)}`,
      semicolons: ";".repeat(size),
    };
    it.each(Object.keys(texts))("stays linear: %s", (name) => {
      // The processor's time: others may have the machine meanwhile.
      const begin = process.cpuUsage();
      inspectAnew(texts[name] ?? "");
      const { user, system } = process.cpuUsage(begin);
      // A quadratic reading would take minutes.
      expect((user + system) / 1_000).toBeLessThan(4_000);
    });
  });
});

describe("inspect", () => {
  it("names the functions to look up, spelled for a catalog", () => {
    expect(inspect(`select F(1), public . g(2), "My F"(3), f(4), lower('x'), "a""b".h(5)`)).toEqual({
      class: "write",
      classIfHarmless: "read",
      unknownFunctions: ["f", "public.g", '"My F"', '"a""b".h'],
      reason: "unknown function f",
    });
  });
  it("says what a text is besides its unknown functions", () => {
    expect(inspect("insert into t select f(1)")).toMatchObject({ class: "write", classIfHarmless: "write" });
    expect(inspect("select f(1), currval('s')")).toMatchObject({ class: "session", classIfHarmless: "session" });
  });
  it("gives the reason without literals", () => {
    expect(inspect("select * from t where a = 'secret' for update").reason).toBe("row lock");
    expect(inspect("select nextval('secret')").reason).toBe("function nextval");
    expect(inspect("delete from t").reason).toBe("statement delete");
    expect(inspect("select 'secret").reason).toBe("malformed text");
  });
});
