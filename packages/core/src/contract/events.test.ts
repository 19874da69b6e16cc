import { describe, expect, it } from "vitest";
import { Events } from "./events.ts";

const event = { pool: "unit", label: undefined };

describe("events", () => {
  it("reach every listener, in order, until it is taken off", () => {
    const events = new Events();
    const heard: number[] = [];
    const off = events.on("connection:open-transaction", () => heard.push(1));
    events.on("connection:open-transaction", () => heard.push(2));
    events.emit("connection:open-transaction", event);
    off();
    off();
    events.emit("connection:open-transaction", event);
    expect(heard).toEqual([1, 2, 2]);
    expect(events.size).toBe(1);
    expect(events.has("connection:open-transaction")).toBe(true);
    expect(events.has("pool:closed")).toBe(false);
  });

  it("are not disturbed by listeners that throw or reject, whatever it is", async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error): void => void warnings.push(warning);
    process.on("warning", hear);
    const events = new Events();
    let heard = 0;
    const bare: unknown = Object.create(null);
    const listeners: (() => unknown)[] = [
      () => {
        throw new Error("thrown");
      },
      () => {
        throw bare as Error;
      },
      async () => {
        throw new Error("rejected");
      },
      // oxlint-disable-next-line unicorn/no-thenable -- some promises are no Promise
      () => ({ then: (_: unknown, refuse: (error: unknown) => void) => refuse(new Error("thenable")) }),
    ];
    for (const listener of listeners) events.on("connection:open-transaction", listener);
    events.on("connection:open-transaction", () => void (heard += 1));
    events.emit("connection:open-transaction", event);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", hear);
    expect(heard).toBe(1);
    expect(warnings.map(({ message }) => message.replace(/^.*threw: /, "")).toSorted()).toEqual(
      ["thrown", "something that cannot be shown", "rejected", "thenable"].toSorted(),
    );
  });

  it("let a listener take itself and others off while they are told", () => {
    const events = new Events();
    const heard: string[] = [];
    const offs: (() => void)[] = [];
    for (const name of ["a", "b", "c"]) {
      offs.push(
        events.on("connection:open-transaction", () => {
          heard.push(name);
          for (const off of offs) off();
        }),
      );
    }
    events.emit("connection:open-transaction", event);
    events.emit("connection:open-transaction", event);
    expect(heard).toEqual(["a", "b", "c"]);
    expect(events.size).toBe(0);
  });

  it("pass on to other buses until told not to", () => {
    const below = new Events();
    const above = new Events();
    const stop = below.forwardTo(above);
    let heard = 0;
    expect(below.has("connection:open-transaction")).toBe(false);
    above.on("connection:open-transaction", () => void (heard += 1));
    expect(below.has("connection:open-transaction")).toBe(true);
    below.emit("connection:open-transaction", event);
    stop();
    below.emit("connection:open-transaction", event);
    expect(heard).toBe(1);
    expect(below.has("connection:open-transaction")).toBe(false);
  });

  it("take nothing for a listener but a function", () => {
    const events = new Events();
    for (const wrong of [undefined, null, {}, "x"]) {
      expect(() => events.on("connection:lost", wrong as never)).toThrow(TypeError);
    }
    expect(events.size).toBe(0);
  });
});
