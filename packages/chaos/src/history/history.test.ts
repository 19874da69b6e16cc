import { describe, expect, it } from "vitest";
import { check } from "./check.ts";
import { exactlyOnce } from "./checkers/exactly-once.ts";
import { History } from "./history.ts";
import { fromJsonLines, toJsonLines } from "./json-lines.ts";
import type { FinalState, ListStep } from "./operation.ts";
import { append, read } from "./testing/draft.ts";

function coded(code: string): Error {
  return Object.assign(new Error("no answer"), { code });
}

describe("history", () => {
  it("takes an unknown outcome for unknown, and every other error for a failure", async () => {
    const history = new History({ now: () => 7 });
    const alice = history.session("alice");
    expect(await alice.write("a", async () => 1)).toBe(1);
    const lost = coded("ERR_BREAKWATER_OUTCOME_UNKNOWN");
    await expect(alice.write("b", () => Promise.reject(lost))).rejects.toBe(lost);
    await expect(alice.write("c", () => Promise.reject(coded("ECONNRESET")))).rejects.toThrow("no answer");
    void alice.write("d", () => new Promise(() => {}));
    expect(
      history.operations.map(({ outcome, error, invoked, completed }) => [outcome, error, invoked, completed]),
    ).toEqual([
      ["ok", undefined, 0, 1],
      ["unknown", "ERR_BREAKWATER_OUTCOME_UNKNOWN: no answer", 2, 3],
      ["fail", "ECONNRESET: no answer", 4, 5],
      ["pending", undefined, 6, undefined],
    ]);
    expect(history.counts()).toEqual({ ok: 1, fail: 1, unknown: 1, pending: 1 });
  });

  it("lets callers say what an error means", async () => {
    const history = new History();
    const call = (): Promise<never> => Promise.reject(coded("ECONNRESET"));
    const action = { kind: "write", id: "a" } as const;
    await history.record<"write", never>("alice", action, call, { classify: () => "unknown" }).catch(() => {});
    expect(history.counts().unknown).toBe(1);
  });

  it("keeps what reads found", async () => {
    const history = new History();
    const alice = history.session("alice");
    await alice.read("r", async () => null);
    await alice.count("c", async () => 3);
    await alice.sum(async () => 300);
    await alice.transaction([append("l", 1), { do: "read", list: "l" }], async () => [[1]]);
    await alice.acquire(
      (connection) => connection.name,
      async () => ({ name: "first" }),
    );
    alice.release("first");
    const steps = [append("l", 1), read("l", [1])];
    expect(history.operations.map(({ result }) => result)).toEqual([null, 3, 300, steps, "first", null]);
  });

  it("stops recording at its limit, goes on calling, and does not pass", async () => {
    const history = new History({ maxOperations: 1 });
    const alice = history.session("alice");
    await alice.write("a", async () => {});
    expect(await alice.write("b", async () => "done")).toBe("done");
    expect([history.operations.length, history.dropped]).toEqual([1, 1]);
    expect(check(history).counts).toEqual({ truncated: 1 });
    expect(check(fromJsonLines(toJsonLines(history)).history).counts).toEqual({ truncated: 1 });
  });

  it("refuses options that make no sense", () => {
    expect(() => new History({ maxOperations: 0 })).toThrow(
      /maxOperations must be an integer from 1 to 10000000, got 0/,
    );
    expect(() => new History({ max: 1 } as never)).toThrow(/unknown option max/);
    expect(() => check(new History(), { isolation: "none" as never })).toThrow(/isolation must be one of/);
  });
});

describe("a history written down", () => {
  const header = '{"history":1,"opening":{},"dropped":0}\n';

  it.each([
    ["", "line 1: expected one JSON object"],
    ['{"event":"invoke"}\n', 'line 1: expected a header with "history": 1'],
    [`${header}{"event":"ok","op":0}\n`, "line 2: expected an operation that was invoked before"],
    [`${header}{"event":"invoke","op":1}\n`, "line 2: expected the invocation of operation 0"],
    [`${header}{"event":"invoke","op":0}\n`, "line 2: expected a session and an action"],
    [`${header}what\n`, "line 2: expected one JSON object"],
  ])("%j is refused: %s", (text, message) => {
    expect(() => fromJsonLines(text)).toThrow(message);
  });

  it("is read up to its last whole line", async () => {
    const history = new History();
    await history.session("alice").write("a", async () => {});
    const text = toJsonLines(history);
    expect(fromJsonLines(text.slice(0, -2)).history.counts()).toEqual({ ok: 0, fail: 0, unknown: 0, pending: 1 });
  });
});

describe("check", () => {
  /** Two transactions that both read the empty list and appended to it. */
  async function lostUpdate(): Promise<History> {
    const history = new History();
    const alice = history.session("alice");
    for (const element of [1, 2]) {
      await alice.transaction([{ do: "read", list: "l" }, append("l", element)], async () => [[]]);
    }
    return history;
  }

  it("tells what was found, in words", async () => {
    const { violations, passed } = check(await lostUpdate(), { finalState: { lists: { l: [1, 2] } } });
    expect(passed).toBe(false);
    expect(violations.map(({ kind, operations }) => [kind, operations.map(({ index }) => index)])).toEqual([
      ["read-your-writes", [0, 1]],
      ["lost-update", [1, 0]],
    ]);
    expect(violations[1]?.message).toBe(
      'list "l" was read with 0 elements and appended to, over an append in between: ' +
        "#1 alice transaction of 2 steps (ok); #0 alice transaction of 2 steps (ok)",
    );
  });

  it("lists apart what the isolation level does not forbid, and what is expected", async () => {
    const history = await lostUpdate();
    const report = check(history, { isolation: "read-committed", allow: ["read-your-writes"] });
    expect(report.passed).toBe(true);
    expect(report.allowed.map(({ kind }) => kind)).toEqual(["read-your-writes", "lost-update"]);
    expect(report.notChecked).toEqual(["lists"]);
  });

  it("names what the final state does not show", async () => {
    const history = new History();
    const alice = history.session("alice");
    await alice.write("a", async () => {});
    await alice.set("r", "b", async () => {});
    await alice.increment("c", 1, async () => {});
    await alice.transfer({ id: "t", from: "x", to: "y", amount: 1 }, async () => {});
    await alice.transaction([{ do: "read", list: "l" }], async () => [[]]);
    expect(check(history).notChecked).toEqual(["writes", "registers", "counters", "transfers"]);
    expect(check(history, { finalState: { writes: { a: 1 }, balances: {} } }).notChecked).toEqual([
      "registers",
      "counters",
    ]);
  });

  it("asks only the checkers that it is given", async () => {
    expect(check(await lostUpdate(), { checkers: [exactlyOnce] }).violations).toEqual([]);
  });

  it("refuses ids and elements that are not unique", async () => {
    const history = new History();
    const alice = history.session("alice");
    for (const id of ["a", "a"]) await alice.write(id, async () => {});
    expect(() => check(history, { finalState: { writes: { a: 1 } } })).toThrow(/"a" is written by two operations/);
    for (const element of [1, 1]) await alice.transaction([append("l", element)], async () => []);
    expect(() => check(history)).toThrow(/1 is appended to list "l" twice/);
  });

  it("names a knot of thousands of transactions in little time", () => {
    const history = new History();
    const order = Array.from({ length: 10_000 }, (_, at) => at);
    // Each reads the list as it stood before an earlier one: nobody's order fits.
    for (const at of order) {
      const steps = [append("writes", at), read("other", []), append("other", at)];
      history.invoke<"transaction">(`session-${at}`, { kind: "transaction", steps }).ok(steps);
    }
    // The processor's time: others may have the machine meanwhile.
    const began = process.cpuUsage();
    const report = check(history, { finalState: { lists: { writes: order, other: order.toReversed() } } });
    const { user, system } = process.cpuUsage(began);
    expect(report.counts).toMatchObject({ "dirty-write": 1, "lost-update": 9_999 });
    expect((user + system) / 1_000).toBeLessThan(10_000);
  });
});

describe("anomalies that nobody has read once more", () => {
  const found = (transactions: readonly (readonly ListStep[])[], lists?: FinalState["lists"]): string[] => {
    const history = new History();
    for (const [at, steps] of transactions.entries()) {
      history.invoke<"transaction">(`session ${at}`, { kind: "transaction", steps }).ok(steps);
    }
    const { counts } = check(history, lists === undefined ? {} : { finalState: { lists } });
    return Object.keys(counts).toSorted();
  };

  it.each([
    [
      "read-skew",
      [
        [append("x", 1), append("y", 1)],
        [read("x", [1]), read("y", [])],
      ],
    ],
    [
      "write-skew",
      [
        [read("x", []), append("y", 1)],
        [read("y", []), append("x", 1)],
      ],
    ],
    [
      "lost-update",
      [
        [read("x", []), append("x", 1)],
        [read("x", []), append("x", 2)],
      ],
    ],
    ["lost-update", [[read("x", []), append("x", 1)], [read("x", []), append("x", 2)], [read("x", [2])]]],
  ] as const)("%s is found: %j", (kind, transactions) => {
    expect(found(transactions)).toEqual([kind]);
  });

  it("an update that another one of the same version has replaced is a lost one, besides being gone", () => {
    const both = [
      [read("x", []), append("x", 1)],
      [read("x", []), append("x", 2)],
    ] as const;
    expect(found(both, { x: [2] })).toEqual(["lost-update", "lost-write"]);
    expect(found([[read("x", []), append("x", 1)], [append("x", 2)]], { x: [2] })).toEqual(["lost-write"]);
  });

  it("transactions that may simply have come later raise no alarm", () => {
    const [first, second] = [[append("x", 1)], [append("x", 2), append("y", 1)]];
    expect(found([first, [read("x", [1])], second])).toEqual([]);
    expect(found([second, [read("y", [])], first, [read("x", [])]])).toEqual([]);
    expect(found([[read("y", []), append("x", 1)], [read("x", []), append("z", 1)], [read("z", [])]])).toEqual([]);
  });

  it("a list that nobody asked for is told", () => {
    expect(found([[append("x", 1)]], { x: [1], y: [2] })).toEqual(["unwritten"]);
  });
});
