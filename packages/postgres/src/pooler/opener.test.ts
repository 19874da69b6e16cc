import type { ConnectionOpener, DriverConnection, Statement } from "@breakwater/core";
import { ManualClock } from "@breakwater/core/testing";
import { describe, expect, it } from "vitest";
import { Pooler, type PoolerOption } from "./opener.ts";

interface Fake {
  readonly sent: string[];
  readonly destroyed: boolean[];
  readonly found: boolean[];
  readonly clock: ManualClock;
  open(signal?: AbortSignal): Promise<DriverConnection>;
}

type Answer = (statement: Statement) => Promise<readonly object[]>;

/** Connections that say process 1, with what answers their statements. */
function fake(answer: Answer, option?: PoolerOption, prepares = true): Fake {
  const sent: string[] = [];
  const destroyed: boolean[] = [];
  const found: boolean[] = [];
  const clock = new ManualClock();
  const inner: ConnectionOpener = {
    open: () =>
      Promise.resolve({
        usable: true,
        transactionStatus: "idle",
        query: async (statement: Statement) => {
          sent.push(statement.text);
          return { rows: await answer(statement) };
        },
        destroy: (cancel: boolean) => {
          destroyed.push(cancel);
          return Promise.resolve();
        },
      } as Partial<DriverConnection> as DriverConnection),
  };
  const pooler = new Pooler(option, { found: (keeps) => found.push(keeps), prepares });
  const opener = pooler.opener(inner, "unit", () => 1, { clock, connectTimeoutMs: 5_000 });
  const never = new AbortController().signal;
  return { sent, destroyed, found, clock, open: (signal = never) => opener.open(undefined, signal) };
}

/** A pooler; `known` is how many statements of a name its server knows. */
const pooler =
  (known: string): Answer =>
  ({ text }) =>
    Promise.resolve(text.includes("pg_backend_pid") ? [{ pid: "2" }] : text.includes("known") ? [{ known }] : []);

describe("the opener of what may be a pooler", () => {
  it("finds one that keeps what is prepared, with the first connection alone", async () => {
    const { sent, found, ...at } = fake(pooler("0"));
    await at.open();
    const asked = sent.length;
    await at.open();
    expect(found).toEqual([true]);
    expect(sent).toHaveLength(asked);
    expect(sent.filter((text) => text.startsWith("DEALLOCATE"))).toEqual([]);
    expect(sent.at(-1)).toBe("COMMIT");
  });

  it("leaves nothing prepared on the servers of one that does not", async () => {
    const { sent, found, ...at } = fake(pooler("1"));
    await at.open();
    expect(found).toEqual([false]);
    expect(sent.slice(-2)).toEqual([expect.stringMatching(/^DEALLOCATE "breakwater_/), "COMMIT"]);
  });

  it("asks for it as well where it was told of the pooler, and not where nobody prepares", async () => {
    const told = fake(pooler("0"), "transaction");
    await told.open();
    expect([told.found, told.sent.some((text) => text.includes("pg_backend_pid"))]).toEqual([[true], false]);
    const idle = fake(pooler("0"), "transaction", false);
    await idle.open();
    expect([idle.found, idle.sent]).toEqual([[false], []]);
  });

  it("asks nothing of a server that answers itself, and of what was said to be none", async () => {
    const server = fake(() => Promise.resolve([{ pid: "1" }]));
    await server.open();
    expect([server.found, server.sent.length]).toEqual([[], 1]);
    const none = fake(pooler("0"), "none");
    await none.open();
    expect([none.found, none.sent]).toEqual([[], []]);
  });

  it("takes a refused question for no", async () => {
    const refuses: Answer = (statement) =>
      statement.name === undefined ? pooler("0")(statement) : Promise.reject(new Error("permission denied"));
    const { sent, found, ...at } = fake(refuses);
    await at.open();
    expect([found, sent.at(-1)]).toEqual([[false], "ROLLBACK"]);
  });

  it("gives up a connection on which the question is not answered in time, or is not wanted any more", async () => {
    const silent = fake(() => new Promise(() => undefined));
    const late = silent.open().catch((error: unknown) => error);
    await new Promise(setImmediate);
    await silent.clock.advance(5_000);
    expect(await late).toMatchObject({ code: "ERR_BREAKWATER_TIMEOUT", phase: "connect" });
    const attempt = new AbortController();
    const given = silent.open(attempt.signal).catch((error: unknown) => error);
    await new Promise(setImmediate);
    const reason = new Error("not wanted");
    attempt.abort(reason);
    expect(await given).toBe(reason);
    expect(silent.destroyed).toEqual([false, false]);
  });
});
