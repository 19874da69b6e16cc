import {
  CircuitOpenError,
  type Failure,
  OutcomeUnknownError,
  PoolClosedError,
  recordedFailure,
  type Situation,
} from "@breakwater/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { judge } from "./judge.ts";

const at = (phase: Situation["phase"], access: Situation["access"] = "write", inTransaction = false): Situation => ({
  phase,
  access,
  inTransaction,
});

/** The columns of the table as situations. */
const C = at("connect");
const B = at("unsent");
const R = at("running", "read");
const T = at("running", "write", true);
const W = at("running");
const K = at("committing", "write", true);
const ALL = [
  C,
  B,
  R,
  T,
  W,
  K,
  at("acquire"),
  at("running", "read", true),
  at("unsent", "read", true),
  at("committing", "read"),
];

const situations = fc.constantFrom(...ALL);

function server(code: string, extra: object = {}): Error {
  return Object.assign(new Error("server message"), { code, severity: "ERROR", ...extra });
}

/** An object that takes part in nothing: every way to look at it throws. */
function hostile(): object {
  const refuse = (): never => {
    throw new Error("no");
  };
  return new Proxy(
    {},
    { get: refuse, has: refuse, getPrototypeOf: refuse, ownKeys: refuse, getOwnPropertyDescriptor: refuse },
  );
}

function expectFull(failure: Failure): void {
  expect(["acquire", "connect", "unsent", "running", "committing"]).toContain(failure.phase);
  expect(["none", "unknown"]).toContain(failure.effect);
  expect(["never", "same-node", "other-node", "primary", "transaction"]).toContain(failure.retry);
  expect(["node", "load", "contention", "statement", "caller"]).toContain(failure.blames);
  expect(["keep", "destroy"]).toContain(failure.connection);
  expect(failure.reason).toMatch(/\S/);
  if (failure.maxRetries !== undefined) expect(failure.maxRetries).toBeGreaterThan(0);
  if (failure.retryAfterMs !== undefined) expect(failure.retryAfterMs).toBeGreaterThan(0);
  expect(["lock", "timeout", undefined]).toContain(failure.optIn);
}

describe("judge", () => {
  it("gives a full failure for anything at all", () => {
    const junk = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true }),
      fc.record(
        {
          code: fc.oneof(fc.string(), fc.stringMatching(/^[0-9A-Z]{5}$/), fc.anything()),
          severity: fc.oneof(fc.constantFrom("ERROR", "FATAL", "PANIC", "WARNING", "ВАЖНО", ""), fc.anything()),
          message: fc.anything(),
          routine: fc.anything(),
          cause: fc.anything(),
          errors: fc.anything(),
          name: fc.constantFrom("Error", "AggregateError", "AbortError"),
        },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(junk, situations, (error, situation) => expectFull(judge(error, situation))),
      { numRuns: 2000 },
    );
  });

  it("survives errors that cannot be read", () => {
    const cyclic: { cause?: unknown; errors?: unknown; name: string } = { name: "AggregateError" };
    cyclic.cause = cyclic;
    cyclic.errors = [cyclic, cyclic];
    const throwing = Object.defineProperty(new Error("x"), "code", {
      get: () => {
        throw new Error("no");
      },
    });
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const odd = [
      hostile(),
      cyclic,
      throwing,
      revoked.proxy,
      { cause: hostile() },
      Object.freeze(server("23505")),
      null,
      undefined,
      "",
      Symbol("x"),
      1n,
      () => 1,
    ];
    odd.push({ name: "AggregateError", errors: hostile() }, { name: "AggregateError", errors: [hostile()] });
    for (const error of odd) for (const situation of ALL) expectFull(judge(error, situation));
  });

  it("does not change the error", () => {
    const error = server("40001");
    const before = Reflect.ownKeys(error);
    judge(error, W);
    expect(Reflect.ownKeys(error)).toEqual(before);
    expect(recordedFailure(error)).toBeUndefined();
  });

  it("keeps the connection after an ordinary error", () => {
    for (const code of ["23505", "22P02", "42P01", "P0001", "40001", "40P01", "55P03", "57014", "25006"]) {
      expect(judge(server(code), W).connection, code).toBe("keep");
      expect(judge(server(code), T).connection, code).toBe("keep");
    }
  });

  it("gives the law's verdict column by column", () => {
    const reset = { code: "ECONNRESET" };
    expect([C, B, R, T, W, K].map((situation) => judge(reset, situation).retry)).toEqual([
      "other-node",
      "other-node",
      "other-node",
      "transaction",
      "other-node",
      "transaction",
    ]);
    expect(judge(reset, T)).toMatchObject({ effect: "none" });
    expect(judge(server("25006"), W)).toMatchObject({ effect: "none", retry: "primary", connection: "keep" });
    expect(judge(server("40001"), K)).toMatchObject({ effect: "none", retry: "transaction" });
    expect(judge(server("55P03"), W)).toMatchObject({ retry: "same-node", optIn: "lock" });
    expect(judge(server("53300", { severity: "FATAL" }), at("acquire"))).toMatchObject({
      phase: "connect",
      retry: "same-node",
    });
    expect(judge(server("57P03", { severity: "FATAL" }), C)).toMatchObject({ effect: "none", retry: "other-node" });
    expect(judge({ code: "ENOTFOUND" }, C).retryAfterMs).toBeGreaterThan(0);
  });

  it("sends what a standby refuses to the primary, from wherever it came", () => {
    const refusals = [
      server("25006"),
      server("55000", { message: "recovery is in progress" }),
      server("0A000", { message: "cannot use serializable mode in a hot standby" }),
      server("0A000", { routine: "get_relation_info" }),
      server("XX000", { message: "cannot assign OIDs during recovery" }),
    ];
    for (const error of refusals) {
      for (const situation of [R, T, W, K]) {
        expect(judge(error, situation)).toMatchObject({ retry: "primary", effect: "none", connection: "keep" });
      }
    }
    expect(judge(server("55000"), W).retry).toBe("never");
    expect(judge(server("XX000"), W).retry).toBe("never");
  });

  it("believes the server's function before its text", () => {
    expect(judge(server("0A000", { routine: "RevalidateCachedQuery" }), W)).toMatchObject({
      retry: "same-node",
      maxRetries: 1,
    });
    expect(judge(server("0A000"), W).retry).toBe("never");
    expect(judge(server("26000", { routine: "FetchPreparedStatement" }), T).retry).toBe("transaction");
    expect(judge(server("26000"), T).retry).toBe("never");
    expect(judge(server("42P05", { routine: "StorePreparedStatement" }), R).retry).toBe("same-node");
    expect(judge(server("40001", { routine: "ProcessInterrupts", message: "отмена" }), R).retry).toBe("other-node");
    expect(judge(server("40001", { routine: "ExecUpdate" }), R).retry).toBe("same-node");
    expect(judge(server("08P01", { routine: "exec_bind_message" }), W)).toMatchObject({
      effect: "none",
      connection: "keep",
    });
  });

  it("tells the three kinds of cancelling apart, and is careful with words it does not know", () => {
    const cancel = (message: string): Error => Object.assign(server("57014"), { message });
    expect(judge(cancel("canceling statement due to statement timeout"), R)).toMatchObject({
      optIn: "timeout",
      retry: "other-node",
    });
    expect(judge(cancel("canceling statement due to statement timeout"), W).retry).toBe("never");
    expect(judge(cancel("canceling statement due to user request"), W)).toMatchObject({
      retry: "same-node",
      maxRetries: 1,
    });
    expect(judge(cancel("выполнение оператора отменено"), W).retry).toBe("never");
    expect(judge(cancel("выполнение оператора отменено"), R).optIn).toBe("timeout");
  });

  it("corrects the phase of what was never sent", () => {
    const notQueryable = new Error("Client has encountered a connection error and is not queryable");
    expect(judge(notQueryable, W)).toMatchObject({ phase: "unsent", effect: "none", retry: "other-node" });
    expect(judge(notQueryable, K)).toMatchObject({ phase: "unsent", effect: "none", retry: "transaction" });
    expect(judge(new Error("timeout exceeded when trying to connect"), W)).toMatchObject({
      phase: "acquire",
      effect: "none",
    });
    const reset = { code: "ECONNRESET", syscall: "connect" };
    expect(judge(reset, W)).toMatchObject({ phase: "connect", effect: "none" });
    expect(judge({ code: "08P01", severity: "FATAL", message: "query_wait_timeout" }, W)).toMatchObject({
      effect: "none",
      retry: "other-node",
    });
    expect(judge({ code: "08P01", severity: "FATAL", message: "query timeout" }, W).effect).toBe("unknown");
    const unprepared = { code: "08P01", severity: "FATAL", message: "prepared statement did not exist" };
    expect(judge(unprepared, W)).toMatchObject({ effect: "none", retry: "same-node", connection: "destroy" });
    expect(judge(unprepared, K)).toMatchObject({ effect: "unknown", connection: "destroy" });
    expect(judge({ code: "08P01", severity: "FATAL", message: "server conn crashed?" }, W).effect).toBe("unknown");
  });

  it("does not send a text again that may have committed a part of its work", () => {
    const call = { ...W, inParts: true };
    expect(judge(server("40P01"), call)).toMatchObject({ effect: "unknown", connection: "keep" });
    expect(judge(server("P0001"), call)).toMatchObject({ effect: "none", retry: "never" });
    expect(judge(new Error("Client was closed and is not queryable"), call).effect).toBe("none");
  });

  it("believes the least hopeful of many", () => {
    const members = (...codes: string[]): AggregateError =>
      Object.assign(
        new AggregateError(
          codes.map((code) => ({ code })),
          "",
        ),
        { code: codes[0] },
      );
    expect(judge(members("ECONNREFUSED", "ECONNREFUSED"), C)).toMatchObject({ retry: "other-node", effect: "none" });
    expect(judge(members("ECONNREFUSED", "CERT_HAS_EXPIRED"), C).retry).toBe("never");
    expect(judge(members("ECONNREFUSED", "ECONNRESET"), W).effect).toBe("unknown");
    expect(judge(Object.assign(new AggregateError([]), { code: "ECONNREFUSED" }), C).retry).toBe("other-node");
  });

  it("looks through a wrapper, but not at what it may quote from before", () => {
    const wrap = (cause: unknown): Error => new Error("an ORM's sentence", { cause });
    expect(judge(wrap(server("40001")), R).retry).toBe("same-node");
    expect(judge(wrap(wrap(server("23505"))), W)).toMatchObject({
      effect: "none",
      retry: "never",
      blames: "statement",
    });
    expect(judge(wrap({ code: "ECONNREFUSED" }), W).effect).toBe("unknown");
  });

  it("does not take a quoted text for the driver's own", () => {
    const quoted = Object.assign(server("P0001"), { message: "Connection terminated unexpectedly" });
    expect(judge(quoted, W)).toMatchObject({ effect: "none", connection: "keep" });
    expect(judge(new Error("log: Client was closed and is not queryable"), W).effect).toBe("unknown");
  });

  it("returns what the project's own errors say of themselves", () => {
    const open = new CircuitOpenError("p", 20);
    expect(judge(open, W)).toBe(recordedFailure(open));
    expect(judge(new PoolClosedError("p"), W)).toMatchObject({ retry: "never", effect: "none" });
    const failure = judge({ code: "ECONNRESET" }, K);
    expect(judge(new OutcomeUnknownError("p", null, failure), W)).toBe(failure);
  });

  it("never tells a code's text beyond what a code is", () => {
    const failure = judge({ code: "x".repeat(10_000), message: "secret" }, W);
    expect(failure.reason).not.toContain("xxx");
    expect(failure.reason).not.toContain("secret");
  });

  it("reads a message of a megabyte in no time", () => {
    const error = server("57014", { message: "due to ".repeat(150_000) });
    const begin = performance.now();
    judge(error, W);
    expect(performance.now() - begin).toBeLessThan(500);
  });
});
