import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { commits, commitsInParts } from "./commits.ts";

describe("commits", () => {
  it.each([
    "COMMIT",
    "commit;",
    "Commit Work",
    "COMMIT TRANSACTION AND CHAIN",
    "END",
    "end transaction",
    "COMMIT PREPARED 'x'",
    "PREPARE TRANSACTION 'x'",
    "prepare/* */transaction 'x'",
    "  -- why\n\t/* a /* nested */ one */ commit",
    "-- why\rcommit",
    "insert into t values (1); commit",
    "select ';'; select $$;$$; select $a$ $$ ; $a$; end",
    "select E'\\'; '; commit",
    "select 'it''s'; commit",
    'select "a"";b"; commit',
    ";;commit",
    "create function f() returns int begin atomic select case when true then 1 end; end; commit",
    "select 1;commit--",
  ])("hears %j", (text) => {
    expect(commits(text)).toBe(true);
  });

  it.each([
    "",
    "select 1",
    "rollback",
    "ROLLBACK PREPARED 'commit'",
    "abort",
    "select 'x; commit'",
    "select E'\\'; commit'",
    'select "; commit"',
    "select $$; commit$$",
    "select $tag$; commit; $$ $tag$",
    "/* ; commit */ select 1",
    "/* /* */ ; commit */ select 1",
    "-- ; commit",
    "select commit from t",
    "select 1 as end",
    "select case when true then 1 end",
    "prepare commit as select 1",
    "prepare q as select 1",
    "comment on table t is 'end'",
    "insert into commits values (1)",
    "endpoint; commits",
    "select a$b$; select 1 as commit",
    "create function f() returns int begin atomic select case when true then 1 end; select 2; end",
    "savepoint commit",
    "release commit",
    "select 'never closed; commit",
    "/* never closed; commit",
    "select $x$ never closed; commit",
  ])("does not hear %j", (text) => {
    expect(commits(text)).toBe(false);
  });

  it("does not throw and ends, whatever the text", () => {
    const piece = fc.constantFrom(
      "'",
      '"',
      "$$",
      "$a$",
      "/*",
      "*/",
      "--",
      "\n",
      ";",
      "commit",
      "end",
      "E'",
      "\\",
      " ",
      "begin atomic",
      "create",
      "prepare",
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(piece, fc.string()), { maxLength: 40 }),
        (parts) => typeof commits(parts.join("")) === "boolean",
      ),
    );
  });

  it.each(["/*", "'", "$a", "$a$b", "E'\\", "--", "a$", "''", " ", ";commi", "((", '"', "*/", "$$"])(
    "takes linear time for many %j",
    (part) => {
      const time = (count: number): number => {
        const text = `${part.repeat(count)} end`;
        const begin = performance.now();
        commits(text);
        return performance.now() - begin;
      };
      time(10_000);
      // Quadratic work on a text of this size would take minutes.
      expect(time(400_000)).toBeLessThan(3000);
    },
  );
});

describe("commitsInParts", () => {
  it.each([
    "call pay()",
    "/* x */ CALL pay(1)",
    "do $$ begin commit; end $$",
    "begin; insert into t values (1); commit; select 1 / 0",
    "create unique index concurrently i on t (x)",
    "reindex (verbose) table concurrently t",
    "drop index concurrently i",
    "alter table p detach partition c concurrently",
    "select 1; call pay()",
  ])("hears %j", (text) => {
    expect(commitsInParts(text)).toBe(true);
  });

  it.each([
    "insert into t values (1) on conflict do nothing",
    "create rule r as on insert to t do instead nothing",
    "select call from t",
    "select 1",
    "update t set x = 'call pay()'",
    "refresh materialized view concurrently v",
    "insert into t values (1); insert into t values (2)",
    "rollback",
  ])("does not hear %j", (text) => {
    expect(commitsInParts(text)).toBe(false);
  });
});
