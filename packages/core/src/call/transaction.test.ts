import { describe, expect, it } from "vitest";
import { driverPool } from "./adapter.ts";
import { compose, statefulPolicy } from "../contract/policy.ts";
import { type Database, database } from "../face/database.ts";
import type { Dialect } from "../contract/dialect.ts";
import { OutcomeUnknownError } from "../contract/errors.ts";
import { failureOf, noteFailure } from "../contract/failure.ts";
import { operationContext } from "../contract/operation.ts";
import type { Carrier } from "../contract/driver.ts";
import {
  fakeDialect,
  type FakeConnection,
  fakeDriver,
  type FakeDriver,
  type FakeReply,
  ManualClock,
} from "../testing/index.ts";
import type { Transaction } from "./transaction.ts";

/** Errors by their names: AGAIN is worth another go at the whole transaction, everything else is not. */
const dialect: Dialect = {
  ...fakeDialect,
  judge: (error, { phase }) => ({
    phase,
    effect: "none",
    retry: error instanceof Error && error.message === "AGAIN" ? "transaction" : "never",
    blames: "statement",
    connection: "keep",
    reason: error instanceof Error ? error.message : "",
  }),
};

/** Runs a call again as long as its failure says so. */
const again = statefulPolicy("again", () => ({
  execute: async (operation, next) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await next({ ...operation, attempt });
      } catch (error) {
        if (failureOf(error).retry === "never" || attempt === 3) throw error;
      }
    }
  },
}));

function bench(reply: FakeReply = () => undefined): { db: Database; driver: FakeDriver; sent: () => string[] } {
  const driver = fakeDriver((statement, connection) => {
    if (
      connection.transactionStatus === "failed" &&
      !statement.text.startsWith("ROLLBACK") &&
      statement.text !== "COMMIT"
    )
      throw new Error("ABORTED");
    if (statement.text === "AGAIN" || statement.text === "BAD") throw new Error(statement.text);
    return reply(statement, connection);
  });
  const clock = new ManualClock();
  const db = database(compose(again)(driverPool(driver, dialect, { name: "unit", clock })), { clock });
  return { db, driver, sent: () => driver.connections.flatMap((connection) => connection.sent) };
}

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => ({ unexpected: value }),
    (error: unknown) => error,
  );

describe("transaction", () => {
  it("begins, runs, commits and returns the function's value", async () => {
    const { db, sent } = bench();
    expect(await db.transaction(async (tx) => (await tx.query("ONE")).command)).toBe("ONE");
    expect(sent()).toEqual(["BEGIN", "ONE", "COMMIT"]);
  });

  const thrown: readonly (readonly [string, unknown])[] = [
    ["an error", new Error("mine")],
    ["a frozen error", Object.freeze(new Error("mine"))],
    ["undefined", undefined],
    ["null", null],
    ["a text", "mine"],
    ["an object without a prototype", Object.create(null)],
    ["a function", () => undefined],
  ];
  it.each(thrown)("rolls back and passes on what its function throws: %s", async (_, error) => {
    const { db, sent } = bench();
    expect(await errorOf(db.transaction(() => Promise.reject(error as Error)))).toBe(error);
    expect(
      await errorOf(
        db.transaction(() => {
          throw error;
        }),
      ),
    ).toBe(error);
    expect(sent()).toEqual(["BEGIN", "ROLLBACK", "BEGIN", "ROLLBACK"]);
  });

  it("refuses whatever is no function", async () => {
    const { db, sent } = bench();
    for (const wrong of [undefined, null, 1, "x", {}, Promise.resolve()]) {
      expect(await errorOf(db.transaction(wrong as never))).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
    }
    await db.transaction(async (tx) => {
      expect(await errorOf(tx.transaction(undefined as never))).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
    });
    expect(sent()).toEqual(["BEGIN", "COMMIT"]);
  });

  it("that had a statement fail is rolled back, however its function ends", async () => {
    const { db } = bench();
    const error = await errorOf(db.transaction(async (tx) => void (await errorOf(tx.query("BAD")))));
    expect(error).toMatchObject({ code: "ERR_BREAKWATER_ROLLED_BACK" });
    expect(failureOf(error)).toMatchObject({ reason: "BAD", phase: "committing", retry: "never" });
  });

  it("runs again as a whole for an error that asks for it, in whatever wrapping it comes out", async () => {
    const inner = (tx: Transaction): Promise<unknown> => tx.query(tx.attempt < 3 ? "AGAIN" : "FINE");
    const ways: ((tx: Transaction) => Promise<unknown>)[] = [
      inner,
      (tx) => inner(tx).catch((error: unknown) => Promise.reject(new Error("orm", { cause: error }))),
      (tx) => inner(tx).catch(() => Promise.reject(new Error("orm"))),
      (tx) => inner(tx).catch(() => undefined),
      (tx) => tx.transaction(inner),
    ];
    for (const [at, run] of ways.entries()) {
      const { db, sent } = bench();
      let runs = 0;
      await db.transaction((tx) => {
        runs += 1;
        return run(tx);
      });
      expect([at, runs]).toEqual([at, 3]);
      expect(sent().filter((text) => text === "BEGIN")).toHaveLength(3);
    }
  });

  it("is judged by the statement that made it fail, not by one that was undone before", async () => {
    const { db } = bench();
    let runs = 0;
    const error = await errorOf(
      db.transaction(async (tx) => {
        runs += 1;
        await errorOf(tx.transaction((part) => part.query("AGAIN")));
        await errorOf(tx.query("BAD"));
      }),
    );
    expect([failureOf(error).reason, runs]).toEqual(["BAD", 1]);
  });

  it("that its function has committed by hand is never run again", async () => {
    for (const [end, more] of [
      ["COMMIT", "AGAIN"],
      ["ROLLBACK", "INSERT"],
    ] as const) {
      const { db, sent } = bench();
      const error = await errorOf(
        db.transaction(async (tx) => {
          await tx.query(end);
          await tx.query(more);
          throw Object.assign(new Error("late"), { cause: await errorOf(tx.query("AGAIN")) });
        }),
      );
      expect(failureOf(error).retry).toBe("never");
      expect(sent().filter((text) => text === "BEGIN")).toHaveLength(1);
    }
  });

  it("refuses its statements once it has ended, and sends none of them", async () => {
    const { db, sent } = bench();
    let kept: Transaction | undefined;
    await db.transaction(async (tx) => void (kept = tx));
    expect(await errorOf(kept!.query("LATE"))).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
    expect(await errorOf(kept!.transaction(async () => 1))).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
    expect(() => kept!.afterCommit(() => undefined)).toThrow(/ended/);
    expect(sent()).toEqual(["BEGIN", "COMMIT"]);
  });

  it("waits with its COMMIT for statements that its function did not wait for", async () => {
    const { db, sent } = bench();
    await db.transaction(async (tx) => {
      void tx.query("ONE");
      void tx.query("TWO");
    });
    expect(sent()).toEqual(["BEGIN", "ONE", "TWO", "COMMIT"]);
  });

  it("asks for its server's limit with BEGIN when there is a deadline, and only then", async () => {
    const clock = new ManualClock();
    const driver = fakeDriver();
    const limited = { ...dialect, transaction: { ...dialect.transaction, limit: (ms: number) => `LIMIT ${ms}` } };
    const db = database(driverPool(driver, limited, { name: "unit", clock }), { clock });
    await db.transaction(async () => undefined);
    await db.transaction(async () => undefined, { timeoutMs: 250 });
    await db.transaction(async () => undefined, { timeoutMs: 250, readOnly: true });
    expect(driver.connections[0]?.sent.filter((text) => text.startsWith("BEGIN"))).toEqual([
      "BEGIN",
      "BEGIN; LIMIT 350",
      "BEGIN",
    ]);
  });
});

describe("a transaction whose connection carries its first statement", () => {
  /** A connection that has served a transaction, and writes down what it sends in one flight. `failing` is refused. */
  async function carrying(failing = ""): Promise<{ db: Database; sent: string[]; shown: () => number }> {
    const sent: string[] = [];
    let shown = 0;
    let fails = "";
    const driver = fakeDriver((statement) => {
      sent.push(statement.text);
      if (statement.text === fails) throw new Error(fails);
    });
    const acquire = driver.acquire.bind(driver);
    driver.acquire = async () => {
      const connection = await acquire();
      if (connection.carrier !== undefined) return connection;
      const carrier: Carrier = {
        carries: (first) => first?.text.startsWith("APART") !== true,
        made: (first) => (first.text.startsWith("UNMADE") ? undefined : first),
        shown: () => void (shown += 1),
        begin: async (opening, first, opened) => {
          const flight = first === undefined ? opening : [...opening, first];
          sent.push(flight.map(({ text }) => text).join(" + "));
          const at = flight.findIndex(({ text }) => text === fails);
          await Promise.resolve();
          if (at !== 0) (connection as FakeConnection).transactionStatus = at < 0 ? "open" : "failed";
          if (at >= 0 && at < opening.length) throw new Error(fails);
          opened(opening.map(({ text }) => ({ rows: [], rowCount: 0, command: text, fields: [] })));
          if (at >= 0) throw new Error(fails);
          return first === undefined ? undefined : { rows: [], rowCount: 0, command: first.text, fields: [] };
        },
      };
      return Object.assign(connection, { carrier });
    };
    const clock = new ManualClock();
    const db = database(driverPool(driver, dialect, { name: "unit", clock }), { clock });
    await db.transaction(() => Promise.resolve());
    sent.length = 0;
    fails = failing;
    return { db, sent, shown: () => shown };
  }

  it("begins with it, and sends the others by themselves", async () => {
    const { db, sent } = await carrying();
    const { command } = await db.transaction(async (tx) => {
      const [one] = await Promise.all([tx.query("ONE"), tx.query("TWO")]);
      void tx.query("THREE");
      return one;
    });
    expect([command, sent]).toEqual(["ONE", ["BEGIN + ONE", "TWO", "THREE", "COMMIT"]]);
  });

  it("begins by itself before anything else", async () => {
    const ways: readonly (readonly [string[], (tx: Transaction) => Promise<unknown>, shown?: number])[] = [
      [[], () => Promise.resolve()],
      [["APART"], (tx) => tx.query("APART")],
      [["UNMADE"], (tx) => tx.query("UNMADE")],
      [["APART", "ONE"], (tx) => Promise.all([tx.query("APART"), tx.query("ONE")])],
      [["ONE"], (tx) => Promise.all([Promise.resolve(tx.driver), tx.query("ONE")]), 1],
      [["ONE", "TWO"], (tx) => tx.batch(["ONE", "TWO"])],
    ];
    for (const [texts, run, times = 0] of ways) {
      const { db, sent, shown } = await carrying();
      await db.transaction(run);
      expect([sent, shown()]).toEqual([["BEGIN", ...texts, "COMMIT"], times]);
    }
  });

  it("begins by itself when its function has something else to do before, and waits for neither", async () => {
    const { db, sent } = await carrying();
    await db.transaction(async (tx) => {
      expect(sent).toEqual([]);
      await Promise.resolve();
      expect(sent).toEqual(["BEGIN"]);
      await tx.query("ONE");
    });
    const error = new Error("mine");
    expect(await errorOf(db.transaction(() => Promise.reject(error)))).toBe(error);
    expect(sent).toEqual(["BEGIN", "ONE", "COMMIT", "BEGIN", "ROLLBACK"]);
  });

  it("sends nothing at all when its function throws at once", async () => {
    const { db, sent } = await carrying();
    const error = new Error("mine");
    const run = (): Promise<void> => {
      throw error;
    };
    const { pool } = db;
    const context = { ...operationContext("write"), transaction: {} };
    expect(await errorOf(pool.execute({ ...context, kind: "transaction", run }))).toBe(error);
    expect(sent).toEqual([]);
  });

  it("begins before its function runs on a new connection, and where it could not begin the last time", async () => {
    const { db, sent } = await carrying("BEGIN");
    const ran: number[] = [];
    for (const time of [1, 2, 3]) await errorOf(db.transaction(async () => void ran.push(time)));
    expect([ran, sent]).toEqual([[1], ["BEGIN", "BEGIN", "BEGIN"]]);
  });

  it("fails with the error of its beginning, whatever its function makes of that, and sends nothing more", async () => {
    const ways: ((tx: Transaction) => Promise<unknown>)[] = [
      (tx) => tx.query("ONE"),
      (tx) => tx.query("APART"),
      (tx) => errorOf(tx.query("ONE")),
      (tx) => tx.query("ONE").catch(() => Promise.reject(new Error("another"))),
      async (tx) => [
        await errorOf(tx.query("ONE")),
        await errorOf(tx.query("TWO")),
        await errorOf(tx.batch(["THREE"])),
      ],
      (tx) => Promise.allSettled([tx.query("ONE"), tx.query("TWO")]),
      (tx) => errorOf(tx.transaction((part) => part.query("ONE"))),
      (tx) => Promise.resolve(void tx.query("ONE")),
      (tx) => Promise.resolve(tx.driver),
      () => Promise.resolve(),
    ];
    for (const [at, run] of ways.entries()) {
      const { db, sent } = await carrying("BEGIN");
      const heard: unknown[] = [];
      const error = await errorOf(db.transaction(async (tx) => heard.push(await run(tx))));
      expect([at, error]).toMatchObject([at, { message: "BEGIN" }]);
      expect(failureOf(error)).toMatchObject({ phase: "running", effect: "none", reason: "BEGIN" });
      expect([at, sent.length]).toEqual([at, 1]);
      for (const each of heard.flat()) if (each instanceof Error) expect(each).toBe(error);
      expect(db.stats()).toMatchObject({ active: 0 });
    }
  });

  it("has begun although its first statement failed", async () => {
    const { db, sent } = await carrying("ONE");
    const error = await errorOf(db.transaction(async (tx) => void (await errorOf(tx.query("ONE")))));
    expect(error).toMatchObject({ code: "ERR_BREAKWATER_ROLLED_BACK" });
    expect(failureOf(error)).toMatchObject({ reason: "ONE", phase: "committing", retry: "never" });
    expect(sent).toEqual(["BEGIN + ONE", "COMMIT"]);
    await errorOf(db.transaction((tx) => tx.query("ONE")));
    expect(sent.slice(2)).toEqual(["BEGIN + ONE", "ROLLBACK"]);
  });

  it("that is given up while it begins has kept nothing", async () => {
    const { db, sent } = await carrying();
    const controller = new AbortController();
    const ended = errorOf(
      db.transaction(
        (tx) => {
          const first = tx.query("ONE");
          controller.abort(new Error("left"));
          return first;
        },
        { signal: controller.signal },
      ),
    );
    expect(await ended).toMatchObject({ message: "left" });
    expect(failureOf(await ended)).toMatchObject({ effect: "none" });
    expect(sent).toEqual(["BEGIN + ONE"]);
  });
});

describe("a transaction inside a transaction", () => {
  it("five deep loses what failed and keeps the rest", async () => {
    const { db, sent } = bench();
    const dive = async (tx: Transaction, depth: number): Promise<void> => {
      await tx.query(`DOWN ${depth}`);
      if (depth === 5) throw new Error("deepest");
      await tx
        .transaction((part) => dive(part, depth + 1))
        .catch((error: unknown) => {
          // Those at 5 and 4 fail, 3 goes on.
          if (depth === 4) throw error;
        });
      await tx.query(`UP ${depth}`);
    };
    await db.transaction((tx) => dive(tx, 1));
    expect(sent()).toEqual([
      "BEGIN",
      "DOWN 1",
      "SAVEPOINT breakwater_1",
      "DOWN 2",
      "SAVEPOINT breakwater_2",
      "DOWN 3",
      "SAVEPOINT breakwater_3",
      "DOWN 4",
      "SAVEPOINT breakwater_4",
      "DOWN 5",
      "ROLLBACK TO breakwater_4",
      "ROLLBACK TO breakwater_3",
      "UP 3",
      "RELEASE breakwater_2",
      "UP 2",
      "RELEASE breakwater_1",
      "UP 1",
      "COMMIT",
    ]);
  });

  it("keeps the outer one from being used while it runs: the statement would be undone with it", async () => {
    const { db, sent } = bench();
    await db.transaction(async (tx) => {
      await tx.transaction(async (part) => {
        await part.query("INNER");
        expect(await errorOf(tx.query("OUTER"))).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
      });
      await tx.query("AFTER");
    });
    expect(sent()).toEqual(["BEGIN", "SAVEPOINT breakwater_1", "INNER", "RELEASE breakwater_1", "AFTER", "COMMIT"]);
  });

  it("runs alone: of two at once, the second is refused", async () => {
    const { db } = bench();
    const outcomes = await db.transaction((tx) =>
      Promise.allSettled([tx.transaction(async () => 1), tx.transaction(async () => 2)]),
    );
    expect(outcomes).toMatchObject([
      { status: "fulfilled", value: 1 },
      { status: "rejected", reason: { code: "ERR_BREAKWATER_USAGE" } },
    ]);
  });

  it("that nobody waits for undoes the whole: it would be committed as far as it has got", async () => {
    const { db, sent } = bench();
    let late: Promise<unknown> | undefined;
    const error = await errorOf(
      db.transaction(async (tx) => {
        late = errorOf(
          tx.transaction(async (part) => {
            await part.query("ONE");
            await part.query("TWO");
          }),
        );
        await Promise.resolve();
      }),
    );
    expect(error).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
    expect(await late).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
    expect(sent().at(-1)).toBe("ROLLBACK");
    expect(sent()).not.toContain("COMMIT");
  });

  it("refuses its statements once it has ended", async () => {
    const { db, sent } = bench();
    await db.transaction(async (tx) => {
      let kept: Transaction | undefined;
      await tx.transaction(async (part) => void (kept = part));
      expect(await errorOf(kept!.query("LATE"))).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
    });
    expect(sent()).not.toContain("LATE");
  });

  it("whose unseen statement fails is undone, and the outer one can go on", async () => {
    const { db, sent } = bench();
    await db.transaction(async (tx) => {
      await errorOf(tx.transaction(async (part) => void part.query("BAD")));
      await tx.query("AFTER");
    });
    expect(sent().slice(-3)).toEqual(["ROLLBACK TO breakwater_1", "AFTER", "COMMIT"]);
  });
});

describe("afterCommit", () => {
  it("runs after the commit, in order, with those of inner transactions that were kept", async () => {
    const { db } = bench();
    const ran: string[] = [];
    await db.transaction(async (tx) => {
      tx.afterCommit(() => ran.push("outer"));
      await tx.transaction(async (part) => part.afterCommit(() => ran.push("kept")));
      await errorOf(
        tx.transaction(async (part) => {
          part.afterCommit(() => ran.push("undone"));
          throw new Error("inner");
        }),
      );
      expect(ran).toEqual([]);
    });
    expect(ran).toEqual(["outer", "kept"]);
  });

  it("runs once, for the attempt that was committed", async () => {
    const { db } = bench();
    const ran: number[] = [];
    await db.transaction(async (tx) => {
      tx.afterCommit(() => ran.push(tx.attempt));
      if (tx.attempt < 3) await tx.query("AGAIN");
    });
    expect(ran).toEqual([3]);
  });

  it("that throws, whatever it throws, takes nothing back", async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error): void => void warnings.push(warning);
    process.on("warning", hear);
    const { db } = bench();
    const ran: number[] = [];
    const value = await db.transaction(async (tx) => {
      tx.afterCommit(() => {
        throw new Error("hook");
      });
      tx.afterCommit(() => Promise.reject(Object.create(null) as Error));
      tx.afterCommit(() => ran.push(1));
      return "kept";
    });
    expect([value, ran]).toEqual(["kept", [1]]);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", hear);
    expect(warnings.map(({ message }) => message)).toEqual([
      "an afterCommit() hook threw: hook",
      "an afterCommit() hook threw: something that cannot be shown",
    ]);
  });

  it("is not called after a rollback", async () => {
    const { db } = bench();
    const ran: number[] = [];
    await errorOf(
      db.transaction(async (tx) => {
        tx.afterCommit(() => ran.push(1));
        await errorOf(tx.query("BAD"));
      }),
    );
    expect(ran).toEqual([]);
  });
});

describe("an unknown outcome", () => {
  it("of another transaction, thrown by the function, is not taken for this one's", async () => {
    const { db, sent } = bench();
    const failure = failureOf(undefined);
    const transaction = { node: "n1", id: "7", processId: 1, incarnation: "x" };
    const other = new OutcomeUnknownError("other", undefined, failure, { transaction, value: "the other's" });
    expect(OutcomeUnknownError.unanswered(other)).toBeDefined();
    expect(await errorOf(db.transaction(() => Promise.reject(other)))).toBe(other);
    // Nobody may find out that the other was committed, and take that for an answer to this one, which is undone.
    expect(OutcomeUnknownError.unanswered(other)).toBeUndefined();
    expect(sent()).toEqual(["BEGIN", "ROLLBACK"]);
  });
});

describe("a failure", () => {
  it("recorded elsewhere is not taken for this transaction's", async () => {
    const { db, sent } = bench();
    const old = new Error("from another call");
    noteFailure(old, {
      ...dialect.judge(new Error("AGAIN"), { phase: "running", access: "read", inTransaction: false }),
    });
    await errorOf(db.transaction(() => Promise.reject(new Error("mine"))));
    expect(sent()).toEqual(["BEGIN", "ROLLBACK"]);
  });
});
