import { beforeEach, describe, expect, it } from "vitest";
import { database, type Database } from "../face/database.ts";
import { OutcomeUnknownError } from "../contract/errors.ts";
import type { EventMap } from "../contract/events.ts";
import { type EventLogger, logEvents, type LogLevel } from "./log-events.ts";
import { failing, fakePool, ManualClock } from "../testing/index.ts";
import { failureOf } from "../contract/failure.ts";

interface Entry {
  readonly level: LogLevel;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

let clock: ManualClock;
let db: Database;
let entries: Entry[];
const logger = Object.fromEntries(
  (["debug", "info", "warn", "error"] as const).map((level) => [
    level,
    (fields: object, message: string) => entries.push({ level, fields: fields as Entry["fields"], message }),
  ]),
) as unknown as EventLogger;

beforeEach(() => {
  clock = new ManualClock();
  db = database(fakePool(undefined, "db"), { clock });
  entries = [];
});

const lost = (error: unknown): void => db.pool.events.emit("connection:lost", { pool: "db", error });

describe("logEvents", () => {
  it("logs each event at its level, with its fields and its name", () => {
    logEvents(db, logger, { clock });
    db.pool.events.emit("control:changed", { pool: "db", control: "timeout", options: { limitMs: 5 } });
    expect(entries).toEqual([
      {
        level: "info",
        fields: { event: "control:changed", pool: "db", control: "timeout", options: { limitMs: 5 } },
        message: "breakwater: control:changed",
      },
    ]);
  });

  it("takes other levels, and events of one's own", () => {
    const levels = { "control:changed": "silent", "mine:done": "warn" } as never;
    logEvents(db, logger, { clock, levels });
    db.pool.events.emit("control:changed", { pool: "db", control: "timeout", options: {} });
    db.pool.events.emit("mine:done" as keyof EventMap, { pool: "db", count: 3n } as never);
    expect(entries).toMatchObject([{ level: "warn", fields: { event: "mine:done", count: "3" } }]);
  });

  it("says of errors what they are and mean, never what a driver's message, detail or parameters say", () => {
    logEvents(db, logger, { clock });
    const error = Object.assign(new Error('duplicate key "hunter2"'), {
      code: "23505",
      detail: "Key (email)=(hunter2) already exists.",
      parameters: ["hunter2"],
      query: "INSERT hunter2",
    });
    lost(failing({ reason: "a constraint was violated" }, error));
    const unknown = new OutcomeUnknownError("db", error, failureOf(error));
    db.pool.events.emit("call:outcome-unknown", { pool: "db", label: "pay", error: unknown });
    db.pool.events.emit("connection:notice", {
      pool: "db",
      notice: { severity: "NOTICE", code: "00000", message: "hunter2" },
    });
    expect(entries).toMatchObject([
      { level: "warn", fields: { error: { name: "Error", code: "23505", reason: "a constraint was violated" } } },
      {
        level: "error",
        fields: { label: "pay", error: { code: "ERR_BREAKWATER_OUTCOME_UNKNOWN", cause: { code: "23505" } } },
      },
      { level: "debug", fields: { notice: { severity: "NOTICE", code: "00000" } } },
    ]);
    expect(JSON.stringify(entries)).not.toContain("hunter2");
  });

  it("hides what stands under names such as values, sql and password, and objects of drivers", () => {
    const levels = { "mine:done": "info" } as never;
    logEvents(db, logger, { clock, levels });
    class Client {
      readonly password = "hunter2";
    }
    const event = {
      values: ["hunter2"],
      sql: "hunter2",
      nested: { password: "hunter2", text: "hunter2", n: 1 },
      client: new Client(),
    };
    db.pool.events.emit("mine:done" as keyof EventMap, event as never);
    expect(entries[0]?.fields).toEqual({ event: "mine:done", nested: { n: 1 } });
  });

  it("logs messages of drivers where that is asked for", () => {
    logEvents(db, logger, { clock, errorMessages: true });
    lost(new Error("read ECONNRESET"));
    expect(entries[0]?.fields["error"]).toMatchObject({ message: "read ECONNRESET" });
  });

  it("logs the first of many and counts the others, and leaves no timer", async () => {
    const stop = logEvents(db, logger, { clock, maxPerWindow: 2, windowMs: 100 });
    for (let each = 0; each < 7; each += 1) lost(undefined);
    expect(entries).toHaveLength(2);
    await clock.advance(100);
    expect(entries.at(-1)).toMatchObject({ fields: { event: "connection:lost", suppressed: 5 } });
    lost(undefined);
    expect(entries).toHaveLength(4);
    for (let each = 0; each < 3; each += 1) lost(undefined);
    // What waits to be told is told at the end.
    stop();
    expect(entries.at(-1)?.fields["suppressed"]).toBe(2);
    await clock.advance(1_000);
    expect(entries).toHaveLength(6);
  });

  it("ends with the stack, and when it is told to", async () => {
    const stop = logEvents(db, logger, { clock });
    stop();
    stop();
    lost(undefined);
    expect(entries).toEqual([]);
    logEvents(db, logger, { clock, levels: { "pool:closed": "silent" } });
    expect(db.pool.events.size).toBeGreaterThan(0);
    await db.close();
    expect(db.pool.events.size).toBe(0);
  });

  it("breaks no call by a logger that throws", async () => {
    const broken = {
      ...logger,
      warn: () => {
        throw new Error("disk full");
      },
    };
    logEvents(db, broken, { clock });
    expect(() => lost(undefined)).not.toThrow();
  });

  it.each([
    [logger, { maxPerWindow: 0 }],
    [logger, { windowMs: 0 }],
    [logger, { levels: { "pool:closed": "loud" } }],
    [logger, { errorMessages: 1 }],
    [logger, { clock: {} }],
    [logger, { unknown: 1 }],
    [{ info: () => {} }, {}],
    [undefined, {}],
  ])("refuses %o %o", (given, options) => {
    expect(() => logEvents(db, given as never, options as never)).toThrow(RangeError);
    expect(db.pool.events.size).toBe(0);
  });
});
