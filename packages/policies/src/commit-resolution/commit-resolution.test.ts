import {
  type Connection,
  failureOf,
  type Operation,
  operationContext,
  type OperationContext,
  type Outcome,
  OutcomeUnknownError,
  policy,
  type Pool,
  queryOperation,
  RolledBackError,
  StackOrderError,
  type TransactionIdentity,
  type TransactionOperation,
} from "@breakwater/core";
import { failing, fakeDialect, type FakePool, fakePool, ManualClock } from "@breakwater/core/testing";
import { describe, expect, it } from "vitest";
import { commitResolution, type CommitResolutionOptions } from "./commit-resolution.ts";
import type { CommitResolved } from "./events.ts";

const transaction: TransactionIdentity = { node: "fake", id: "7", processId: 1, incarnation: "one life" };
const LOST = { phase: "committing", effect: "unknown", retry: "transaction" } as const;

/** What the server says when it is asked: an outcome, or an error. */
type Says = Outcome | Error;

interface Scene {
  readonly pool: Pool;
  readonly inner: FakePool;
  readonly clock: ManualClock;
  readonly told: CommitResolved[];
  /** When the server was asked, and when it was told to end the transaction, in milliseconds. */
  readonly asked: number[];
  readonly ended: number[];
  /** The error of the transaction whose COMMIT was not answered. */
  readonly lost: OutcomeUnknownError;
}

/** A pool whose transactions lose the answer to COMMIT, and whose server then says one thing after another. */
function scene(says: readonly Says[], options: CommitResolutionOptions = {}): Scene {
  const clock = new ManualClock();
  const asked: number[] = [];
  const ended: number[] = [];
  const told: CommitResolved[] = [];
  const cause = new Error("Connection terminated unexpectedly");
  const failure = { ...failureOf(failing(LOST)) };
  const lost = new OutcomeUnknownError("fake", cause, failure, { transaction, value: "the result" });
  const connection: Connection = {
    query: () => Promise.reject(new Error("no statement is expected")),
    discard: () => undefined,
    driver: {},
  };
  const inner = fakePool((operation) => {
    if (operation.kind === "query" && operation.consistency === "strong") return operation.run(connection, 1);
    throw operation.resolvable ? lost : new Error("sent as it is");
  });
  const resolution = {
    identityText: "",
    incarnation: () => Promise.resolve("one life"),
    identity: () => undefined,
    outcome: () => {
      asked.push(clock.now());
      const answer = says[Math.min(asked.length, says.length) - 1] ?? "unprovable";
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    end: () => {
      ended.push(clock.now());
      return Promise.resolve();
    },
  };
  const pool = commitResolution({ ...options, clock })({ ...inner, dialect: { ...fakeDialect, resolution } });
  pool.events.on("commit-resolution:resolved", (event) => told.push(event));
  return { pool, inner, clock, told, asked, ended, lost };
}

function work(context: Partial<OperationContext> = {}): TransactionOperation<unknown> {
  const run = (): Promise<unknown> => Promise.resolve();
  return { ...operationContext("write"), ...context, kind: "transaction", transaction: {}, run };
}

function insert(context: Partial<OperationContext> = {}): Operation<unknown> {
  return queryOperation({ text: "INSERT" }, { ...operationContext("write"), ...context }) as Operation<unknown>;
}

/** Runs a call for as long as it takes, and says how it ended. */
async function outcome({ pool, clock }: Scene, operation: Operation<unknown>, afterMs = 60_000): Promise<unknown> {
  const ended = pool.execute(operation).catch((error: unknown) => error);
  await clock.advance(afterMs);
  const result = await Promise.race([ended, Promise.resolve("still under way")]);
  if (result !== "still under way") expect(clock.pending).toBe(0);
  return result;
}

describe("commitResolution", () => {
  it("gives the caller the result of its function when the commit is proved", async () => {
    const stage = scene(["committed"]);
    expect(await outcome(stage, work({ label: "order" }))).toBe("the result");
    expect(stage.told).toStrictEqual([
      { pool: "fake", label: "order", transaction, outcome: "committed", by: "status", waitedMs: 0 },
    ]);
    expect(stage.pool.stats().policies[0]).toMatchObject({ policy: "commit-resolution", committed: 1 });
  });

  it("says that the transaction may be run again when it is proved to be rolled back", async () => {
    const error = await outcome(scene(["rolled-back"]), work());
    expect(error).toBeInstanceOf(RolledBackError);
    expect(failureOf(error)).toMatchObject({ effect: "none", retry: "transaction" });
  });

  it("hands on the error, the same object, when nobody can tell", async () => {
    const stage = scene(["unprovable"]);
    expect(await outcome(stage, work())).toBe(stage.lost);
    expect(stage.asked).toHaveLength(1);
    expect(failureOf(stage.lost).effect).toBe("unknown");
  });

  it("waits for a transaction that still runs, then ends it, then asks again", async () => {
    const stage = scene([...Array.from({ length: 6 }, () => "in-progress" as const), "rolled-back"], { graceMs: 100 });
    expect(await outcome(stage, work())).toBeInstanceOf(RolledBackError);
    expect(stage.asked).toStrictEqual([0, 25, 50, 75, 100, 125, 150]);
    expect(stage.ended).toStrictEqual([100, 125]);
  });

  it("asks again when it got no answer, until limitMs", async () => {
    const stage = scene([failing({ retry: "other-node" })], { limitMs: 200 });
    expect(await outcome(stage, work())).toBe(stage.lost);
    expect(stage.asked).toHaveLength(8);
    expect(stage.told).toMatchObject([{ outcome: "unprovable", waitedMs: 200 }]);
  });

  it("gives up at once where asking again could not help", async () => {
    const stage = scene([failing({ retry: "never" })]);
    expect(await outcome(stage, work())).toBe(stage.lost);
    expect(stage.asked).toHaveLength(1);
  });

  it("never takes longer than the call's own deadline", async () => {
    const stage = scene(["in-progress"]);
    expect(await outcome(stage, work({ deadline: 90 }), 100)).toBe(stage.lost);
    expect(stage.told).toMatchObject([{ outcome: "in-progress" }]);
  });

  it("ends at once when the caller leaves, and says what it does not know", async () => {
    const stage = scene(["in-progress"]);
    const controller = new AbortController();
    const ended = stage.pool.execute(work({ signal: controller.signal })).catch((error: unknown) => error);
    await stage.clock.advance(40);
    controller.abort();
    expect(await ended).toBe(stage.lost);
    expect(stage.clock.now()).toBe(40);
    expect(stage.clock.pending).toBe(0);
  });

  it("touches neither reads nor borrowed connections, and no autocommit write that does not ask for it", async () => {
    const stage = scene(["committed"]);
    await outcome(stage, work({ access: "read" }));
    await outcome(stage, { ...operationContext("write"), kind: "session", run: () => Promise.resolve() });
    await outcome(stage, insert());
    await outcome(stage, insert({ exactlyOnce: true, idempotent: true }));
    expect(stage.inner.calls.map(({ resolvable }) => resolvable)).toStrictEqual([false, false, false, false]);
    expect(stage.inner.calls.map(({ kind }) => kind)).toStrictEqual(["transaction", "session", "query", "query"]);
  });

  it("sends an autocommit write as a transaction when it says exactlyOnce, or the stack does", async () => {
    expect(await outcome(scene(["committed"]), insert({ exactlyOnce: true }))).toBe("the result");
    expect(await outcome(scene(["committed"], { exactlyOnce: true }), insert())).toBe("the result");
    const stage = scene(["committed"], { exactlyOnce: true });
    await outcome(stage, insert({ exactlyOnce: false }));
    expect(stage.inner.calls).toMatchObject([{ kind: "query", resolvable: false }]);
  });

  it("leaves other errors as they are", async () => {
    const stage = scene([]);
    const error = failing({ retry: "never" });
    const pool = commitResolution()(
      fakePool(() => {
        throw error;
      }),
    );
    expect(await outcome({ ...stage, pool }, work())).toBe(error);
  });

  it("refuses options out of range, and a place inside the router", () => {
    expect(() => commitResolution({ limitMs: 0 })).toThrow(RangeError);
    expect(() => commitResolution({ graceMs: -1 })).toThrow(RangeError);
    expect(() => commitResolution({ ledger: "" })).toThrow("commitResolution.ledger");
    expect(() => commitResolution({ grace: 1 } as never)).toThrow(RangeError);
    expect(() => policy("router", (call, next) => next(call))(commitResolution()(fakePool()))).toThrow(StackOrderError);
  });
});
