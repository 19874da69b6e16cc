import { describe, expect, it } from "vitest";
import { driverPool } from "../call/adapter.ts";
import { database } from "../face/database.ts";
import { explain, type CallRecord } from "./explain.ts";
import { explainText } from "./explain-text.ts";
import { compose, policy } from "../contract/policy.ts";
import { failing, fakeCall, fakeDialect, fakeDriver, fakePool, ManualClock } from "../testing/index.ts";

const again = policy("again", (operation, next) =>
  next(operation).catch(() => {
    operation.trace?.note("again", "runs it again", { attempt: 2 });
    return next({ ...operation, attempt: 2 });
  }),
);

describe("explain", () => {
  it("records the layers that a call meets, each way through them, and its end", async () => {
    const records: CallRecord[] = [];
    const inner = fakePool((_, call) => {
      if (call === 1) throw failing({ reason: "planted" });
      return "value";
    }, "db");
    const pool = compose(
      explain({ report: (record) => records.push(record) }),
      again,
      policy("inner", (o, next) => next(o)),
    )(inner);
    expect(await pool.execute(fakeCall({ label: "page" }))).toBe("value");
    expect(records).toHaveLength(1);
    const [record] = records;
    expect(record).toMatchObject({ pool: "db", kind: "query", label: "page", outcome: { status: "ok" }, attempts: 2 });
    expect(record?.layers).toEqual(["again", "inner"]);
    const passes = record?.passes.map(({ layer, attempt, failed }) => [layer, attempt, failed]);
    expect(passes).toEqual([
      ["again", 1, undefined],
      ["inner", 1, "planted"],
      ["inner", 2, undefined],
    ]);
    expect(record?.notes.map(({ layer, what }) => `${layer} ${what}`)).toEqual(["again runs it again"]);
    expect(JSON.parse(JSON.stringify(record))).toMatchObject({ attempts: 2 });
  });

  it("says how a call failed, without the message of its error", async () => {
    const records: CallRecord[] = [];
    const error = Object.assign(new Error("key (email)=(hunter2) exists"), { code: "23505" });
    const inner = fakePool(() => {
      throw failing({ reason: "the statement failed" }, error);
    });
    const pool = explain({ report: (record) => records.push(record) })(inner);
    await expect(pool.execute(fakeCall())).rejects.toBe(error);
    expect(records[0]?.outcome).toMatchObject({ status: "failed", code: "23505", reason: "the statement failed" });
    expect(JSON.stringify(records) + records.map(explainText).join()).not.toContain("hunter2");
  });

  it("tells the wait for a connection, and the rest as running", async () => {
    const clock = new ManualClock();
    const driver = fakeDriver(async ({ text }) => {
      if (text === "SLOW") await new Promise<void>((resolve) => clock.setTimer(30, resolve));
    }, 1);
    const records: CallRecord[] = [];
    const bare = driverPool(driver, fakeDialect, { name: "db", clock });
    const db = database(explain({ clock, report: (record) => records.push(record) })(bare), { clock });
    const held = db.query("SLOW");
    await clock.advance(10);
    const waiting = db.query("SLOW");
    await clock.advance(20);
    await clock.advance(30);
    await Promise.all([held, waiting]);
    expect(records[1]).toMatchObject({ tookMs: 50, times: { connection: 20, running: 30 } });
    expect(records[1]?.notes).toMatchObject([
      { layer: "connection", what: "all are taken", details: { max: 1, waiting: 0 } },
    ]);
    await db.close();
  });

  it("leaves alone what it is not asked for, probes, and calls that are recorded further out", async () => {
    const records: CallRecord[] = [];
    const report = (record: CallRecord): void => void records.push(record);
    const inner = fakePool();
    const pool = compose(explain({ report, only: ({ label }) => label === "this" }), explain({ report }))(inner);
    await pool.execute(fakeCall({ purpose: "probe" }));
    expect(inner.calls[0]?.trace).toBeUndefined();
    await pool.execute(fakeCall({ label: "this" }));
    await pool.execute(fakeCall({ label: "that" }));
    expect(records.map(({ label }) => label)).toEqual(["this", "that"]);
  });

  it("is not broken by a report that throws", async () => {
    const pool = explain({
      report: () => {
        throw new Error("mine");
      },
    })(fakePool(() => "value"));
    expect(await pool.execute(fakeCall())).toBe("value");
  });

  it.each([
    {},
    { report: 1 },
    { report: () => {}, only: 1 },
    { report: () => {}, clock: {} },
    { report: () => {}, x: 1 },
  ])("refuses %o", (options) => {
    expect(() => explain(options as never)).toThrow(RangeError);
  });

  it("keeps no more than so much of a call that goes on and on", async () => {
    const records: CallRecord[] = [];
    const chatty = policy("chatty", (operation, next) => {
      for (let each = 0; each < 1_500; each += 1) operation.trace?.note("chatty", "again");
      return next(operation);
    });
    await compose(explain({ report: (record) => records.push(record) }), chatty)(fakePool()).execute(fakeCall());
    expect(records[0]).toMatchObject({ dropped: 500 });
    expect(records.map(explainText).join()).toContain("500 more");
  });
});

describe("db.explain", () => {
  it("hands back the value and the record of each call, and shares sessions with its database", async () => {
    const db = database(fakePool((operation) => ({ rows: [operation.causality !== undefined], rowCount: 1 })));
    const told = await db.explain(async (recording) => {
      await recording.query("SELECT 1", [], { label: "first" });
      recording.include(db.token);
      return (await recording.query("INSERT 1", [], { label: "second" })).rows;
    });
    expect(told).toMatchObject({ status: "fulfilled", value: [true] });
    expect(told.calls.map(({ label, access }) => [label, access])).toEqual([
      ["first", "read"],
      ["second", "write"],
    ]);
    // Calls beside it are not recorded.
    await db.query("SELECT 1");
    expect(told.calls).toHaveLength(2);
  });

  it("never rejects: what was thrown is in the answer", async () => {
    const error = failing();
    const db = database(
      fakePool(() => {
        throw error;
      }),
    );
    const told = await db.explain((recording) => recording.query("SELECT 1"));
    expect(told).toMatchObject({ status: "rejected", reason: error });
    expect(told.calls[0]?.outcome.status).toBe("failed");
  });

  it("closes nothing of its database", async () => {
    const db = database(fakePool());
    await db.explain((recording) => recording.close());
    await expect(db.query("SELECT 1")).resolves.toBeDefined();
  });
});

describe("explainText", () => {
  it("reads from top to bottom", async () => {
    const clock = new ManualClock();
    const noted = policy("noted", (operation, next) => {
      operation.trace?.note("noted", "decided", { node: "n1", lagMs: 1.23456, left: undefined, list: [1] });
      return next(operation);
    });
    const db = database(noted(fakePool(undefined, "db")), { clock });
    const { calls } = await db.explain((recording) =>
      recording.query("SELECT 1", [], { access: "read", label: "page" }),
    );
    expect(calls.flatMap((call) => explainText(call).split("\n"))).toEqual([
      'query "page" on "db": ok, in 0.00 ms',
      "  read (as the caller said), consistency session, 1 attempt",
      "  layers: noted",
      "  time: running 0.00 ms",
      '     0.00 ms  noted: through "db" (0.00 ms)',
      "     0.00 ms  noted: decided, node n1, lagMs 1.235, list [1]",
    ]);
  });
});
