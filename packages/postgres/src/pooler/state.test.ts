import { describe, expect, it } from "vitest";
import { lasts } from "./state.ts";

describe("what lasts as long as a session", () => {
  it.each([
    "SET a = 1",
    "/* c */ set session a = 1",
    "-- c\nRESET ALL",
    "LISTEN a",
    "UNLISTEN *",
    "PREPARE a AS SELECT 1",
    "EXECUTE a",
    "DEALLOCATE ALL",
    "DISCARD ALL",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_lock_shared(1)",
    "SELECT set_config('a', 'b', false)",
    "CREATE TEMP TABLE t (a int)",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "BEGIN; SET a = 1; COMMIT",
  ])("is %s, in a transaction or not", (text) => {
    expect([lasts(text, false), lasts(text, true)]).toEqual([true, true]);
  });

  it.each([
    "SELECT 1",
    "INSERT INTO t VALUES ('SET a = 1')",
    "BEGIN",
    "COMMIT",
    "ROLLBACK TO SAVEPOINT a",
    "PREPARE TRANSACTION 'a'",
    "SHOW work_mem",
    "SELECT pg_backend_pid()",
    "SELECT pg_advisory_xact_lock(1)",
    "BEGIN; SELECT set_config('statement_timeout', '5', true); SELECT lastval()",
  ])("is not %s", (text) => {
    expect([lasts(text, false), lasts(text, true)]).toEqual([false, false]);
  });

  it.each([
    "SET LOCAL a = 1",
    "SET TRANSACTION READ ONLY",
    "SELECT lastval()",
    "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
  ])("is not %s in a transaction", (text) => {
    expect(lasts(text, true)).toBe(false);
  });
});
