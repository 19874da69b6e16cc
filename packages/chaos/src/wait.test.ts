import { describe, expect, it } from "vitest";
import { setupError } from "./errors.ts";
import { until, within } from "./wait.ts";

describe("until", () => {
  it("gives what the probe gives at last", async () => {
    let calls = 0;
    expect(await until("three calls", () => (++calls === 3 ? calls : undefined), { everyMs: 0 })).toBe(3);
  });

  it("names what was awaited, the last error and the detail when it takes too long", async () => {
    const probe = (): never => {
      throw new Error("connection refused");
    };
    const waiting = until("n1 to answer", probe, { limitMs: 5, everyMs: 1, detail: () => "end of the log" });
    await expect(waiting).rejects.toMatchObject({
      code: "ERR_BREAKWATER_CHAOS_TIMEOUT",
      message: "n1 to answer: not within 5 ms; last error: connection refused\nend of the log",
    });
  });

  it("ends at once when waiting cannot help", async () => {
    const probe = (): never => {
      throw setupError("n1 ended while starting");
    };
    await expect(until("n1 to answer", probe)).rejects.toMatchObject({ code: "ERR_BREAKWATER_CHAOS_SETUP" });
  });
});

describe("within", () => {
  it("rejects when the limit passes first", async () => {
    await expect(within("an answer", new Promise(() => {}), 5)).rejects.toThrow("an answer: not within 5 ms");
  });

  it("passes a rejection on unchanged", async () => {
    const error = new Error("mine");
    await expect(within("an answer", Promise.reject(error))).rejects.toBe(error);
  });
});
