import { describe, expect, it } from "vitest";

import { judge } from "./judge.ts";
import type { Column } from "@breakwater/core/failures";
import type { FailureRow } from "./row.ts";
import { FAILURE_TABLE } from "./table.ts";

const COLUMNS: readonly Column[] = ["C", "B", "R", "T", "W", "K"];

/** Errors that fit the row, one for each way in which a server may tell how bad it is. */
function samples({ match }: FailureRow): readonly Record<string, unknown>[] {
  const prefix = match.prefixes?.[0];
  const code = match.codes?.[0] ?? (match.sqlstate ? (prefix ?? "").padEnd(5, "8") : prefix);
  const parts = {
    message: match.starts?.[0] ?? match.texts?.[0] ?? "",
    routine: match.routines?.[0],
    syscall: match.syscalls?.[0],
    name: match.names?.[0] ?? "error",
    code,
  };
  return ["ERROR", "FATAL", "a word of no known language"].map((severity) => ({ ...parts, severity }));
}

describe("failure table", () => {
  it("names each row once", () => {
    expect(new Set(FAILURE_TABLE.map((row) => row.name)).size).toBe(FAILURE_TABLE.length);
  });

  it.each(FAILURE_TABLE)("$name says what it means, where that comes from and how it is known", (row) => {
    expect(row.source).toMatch(/\S{3}/);
    expect(row.meaning).toMatch(/\S{3}/);
    expect(["measured", "documentation"]).toContain(row.evidence);
    expect(Object.keys(row.verdicts).length).toBeGreaterThan(0);
    expect(Object.keys(row.match).length).toBeGreaterThan(0);
    for (const column of Object.keys(row.verdicts)) expect(COLUMNS).toContain(column);
  });

  it.each(FAILURE_TABLE)("$name can be reached: no earlier row hides it", (row) => {
    const situation = { phase: "running", access: "read", inTransaction: false } as const;
    const reasons = samples(row).map((error) => judge(error, situation).reason);
    expect(
      reasons.some((reason) => reason.startsWith(row.meaning)),
      reasons.join(", "),
    ).toBe(true);
  });

  it.each(FAILURE_TABLE.filter((row) => row.notSent))("$name is never of unknown effect", (row) => {
    for (const column of ["C", "B", "R", "T", "W"] as const) {
      expect(row.verdicts[column] ?? "", column).not.toMatch(/res|lost/);
    }
  });

  it("cannot be changed", () => {
    const [row] = FAILURE_TABLE;
    expect(() => Object.assign(row?.verdicts ?? {}, { W: "same" })).toThrow(TypeError);
    expect(() => (FAILURE_TABLE as FailureRow[]).push(...FAILURE_TABLE)).toThrow(TypeError);
  });
});
