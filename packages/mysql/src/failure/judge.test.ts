import type { Situation } from "@breakwater/core";
import { describe, expect, it } from "vitest";
import { judge } from "./judge.ts";
import { FAILURE_TABLE } from "./table.ts";

const situations: readonly Situation[] = (["acquire", "connect", "unsent", "running", "committing"] as const).flatMap(
  (phase) =>
    (["read", "write"] as const).flatMap((access) =>
      [false, true].map((inTransaction) => ({ phase, access, inTransaction })),
    ),
);

const WRITE: Situation = { phase: "running", access: "write", inTransaction: false };
const COMMIT: Situation = { phase: "committing", access: "write", inTransaction: true };

/** An error that the row speaks of. */
function example({ match }: (typeof FAILURE_TABLE)[number]): Error {
  const error = new Error(`${match.starts?.[0] ?? ""}${match.texts?.[0] ?? ""}`);
  const number = match.numbers?.[0] ?? (match.server === true ? 1_062 : undefined);
  return Object.assign(error, {
    ...(number === undefined ? {} : { errno: number, sqlState: match.sqlstates?.[0] ?? "HY000" }),
    ...(match.codes === undefined && match.prefixes === undefined
      ? {}
      : { code: match.codes?.[0] ?? `${match.prefixes?.[0]}X` }),
    ...(match.syscalls === undefined ? {} : { syscall: match.syscalls[0] }),
    ...(match.names === undefined ? {} : { name: match.names[0] }),
  });
}

describe("judge", () => {
  it.each(FAILURE_TABLE.map((row) => [row.name, row] as const))("speaks by the row %s where it is met", (_, row) => {
    expect(judge(example(row), WRITE).reason).toContain(row.meaning);
  });

  it("never says that a write or a COMMIT may be sent again when nobody knows what became of it", () => {
    for (const row of FAILURE_TABLE)
      for (const situation of situations) {
        const failure = judge(example(row), situation);
        expect(["none", "unknown"]).toContain(failure.effect);
        if (row.ends === true && row.notSent === undefined && [WRITE, COMMIT].some((one) => same(one, situation)))
          expect([row.name, failure.effect]).toEqual([row.name, "unknown"]);
      }
  });

  it("takes what it does not know for anything, where it was sent", () => {
    for (const error of [
      undefined,
      null,
      7,
      "text",
      {},
      new Error("new"),
      new Proxy(
        {},
        {
          get: () => {
            throw new Error("x");
          },
        },
      ),
    ]) {
      expect(judge(error, WRITE)).toMatchObject({ effect: "unknown", connection: "destroy" });
      expect(judge(error, { ...WRITE, access: "read" })).toMatchObject({ effect: "none", retry: "never" });
      expect(judge(error, COMMIT)).toMatchObject({ effect: "unknown" });
    }
  });

  it("does not take a system error's number for the server's", () => {
    const error = Object.assign(new Error("read ECONNRESET"), { errno: -104, code: "ECONNRESET", syscall: "read" });
    expect(judge(error, WRITE)).toMatchObject({ effect: "unknown", retry: "other-node", connection: "destroy" });
  });

  it("follows the cause of a wrapper that says nothing itself", () => {
    const cause = Object.assign(new Error("dup"), { errno: 1062, sqlState: "23000", code: "ER_DUP_ENTRY" });
    expect(judge(new Error("wrapped", { cause }), WRITE)).toMatchObject({ effect: "none", blames: "statement" });
  });

  it("knows that a part may have been kept of what commits in parts", () => {
    const error = Object.assign(new Error("deadlock"), { errno: 1213, sqlState: "40001" });
    expect(judge(error, { ...WRITE, inParts: true })).toMatchObject({ effect: "unknown" });
  });
});

function same(one: Situation, other: Situation): boolean {
  return one.phase === other.phase && one.access === other.access && one.inTransaction === other.inTransaction;
}

describe("the failure table", () => {
  it("has one row of each name, and says where each is from", () => {
    expect(new Set(FAILURE_TABLE.map(({ name }) => name)).size).toBe(FAILURE_TABLE.length);
    for (const { source, meaning } of FAILURE_TABLE)
      expect([source, meaning].every((text) => text.length > 3)).toBe(true);
    expect(Object.isFrozen(FAILURE_TABLE[0]?.verdicts)).toBe(true);
  });
});
