import type { Situation } from "@breakwater/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { judge } from "./judge.ts";
import { FAILURE_TABLE } from "./table.ts";

const R: Situation = { phase: "running", access: "read", inTransaction: false };
const W: Situation = { phase: "running", access: "write", inTransaction: false };
const K: Situation = { phase: "committing", access: "write", inTransaction: true };

const situations = fc.record<Situation>({
  phase: fc.constantFrom("acquire", "connect", "unsent", "running", "committing"),
  access: fc.constantFrom("read", "write"),
  inTransaction: fc.boolean(),
});

function server(code: string, extra: object = {}): Error {
  return Object.assign(new Error("server message"), { code, severity: "ERROR", ...extra });
}

describe("laws of the failure table", () => {
  it("calls the outcome unknown whenever a write or a COMMIT that may have been sent met a lost connection", () => {
    const lost = [
      ...["ECONNRESET", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ERR_STREAM_DESTROYED", "ERR_SSL_WRONG", "EPROTO"].map(
        (code) => ({ code }),
      ),
      ...["CONNECTION_CLOSED", "CONNECTION_ENDED", "CONNECTION_DESTROYED"].map((code) => ({ code })),
      ...["Connection terminated", "Connection terminated unexpectedly", "Query read timeout"].map((m) => new Error(m)),
      ...["57P01", "57P02", "57P05", "25P03", "25P04", "08006", "08P01", "53200", "XX000", "58030", "99999"].map(
        (code) => server(code, { severity: "FATAL" }),
      ),
      server("57P01", { severity: "WARNING" }),
      server("XX000", { severity: "PANIC" }),
      server("40001", { severity: "a language that is not known" }),
      Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" }),
      new Error("something that a driver said"),
      null,
      "text",
    ];
    for (const error of lost) {
      for (const situation of [W, K]) {
        const failure = judge(error, situation);
        expect(failure, JSON.stringify(error)).toMatchObject({ effect: "unknown", connection: "destroy" });
      }
    }
  });

  it("calls no write that was answered by ERROR unknown, but for those that the table names", () => {
    const named = /^(?:08|40003)/;
    const codes = fc.stringMatching(/^[0-9A-DF-Z][0-9A-Z]{4}$/).filter((code) => !named.test(code));
    const words = fc.constantFrom("ERROR", "FEHLER", "ОШИБКА", "错误", "ERREUR");
    fc.assert(
      fc.property(codes, words, fc.string(), (code, severity, message) => {
        expect(judge(Object.assign(new Error(message), { code, severity }), W).effect).toBe("none");
      }),
    );
    for (const code of ["08000", "08003", "08006", "08007", "08P01", "40003"]) {
      expect(judge(server(code), W).effect).toBe("unknown");
    }
  });

  it("destroys the connection after FATAL and PANIC, in every language", () => {
    const listed = FAILURE_TABLE.flatMap(({ match }) => match.codes ?? []).filter((code) =>
      /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code),
    );
    const codes = fc.oneof(fc.stringMatching(/^[0-9A-DF-Z][0-9A-Z]{4}$/), fc.constantFrom(...listed));
    const words = fc.constantFrom("FATAL", "PANIC", "PANIK", "FATALE", "ВАЖНО", "치명적오류", "致命错误", "FATALT");
    fc.assert(
      fc.property(codes, words, situations, (code, severity, situation) => {
        expect(judge(server(code, { severity }), situation).connection).toBe("destroy");
      }),
      { numRuns: 1000 },
    );
    for (const code of ["57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04"]) {
      expect(judge(server(code, { severity: "НЕИЗВЕСТНО" }), R).connection).toBe("destroy");
    }
  });

  it("calls nothing unknown that was not sent", () => {
    const codes = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[0-9A-DF-Z][0-9A-Z]{4}$/),
      fc.constantFrom("ECONNREFUSED", "ENOTFOUND"),
    );
    const before = fc.constantFrom<Situation["phase"]>("acquire", "connect", "unsent");
    fc.assert(
      fc.property(codes, fc.constantFrom("ERROR", "FATAL", ""), before, (code, severity, phase) => {
        expect(judge(server(code, { severity }), { ...W, phase }).effect).toBe("none");
      }),
    );
  });
});
