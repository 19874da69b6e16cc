import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import path from "node:path";
import { type EventMap, Events, LOG_LEVELS } from "@breakwater/core";
import { fakePool } from "@breakwater/core/testing";
import { telemetry } from "@breakwater/otel";
import { afterEach, describe, expect, it, vi } from "vitest";
import { packages, ROOT, sourcesOf } from "../packages/tree.ts";
import { MemorySdk } from "./sdk.ts";

/** Every event that a source declares. */
function declared(): string[] {
  const texts = packages().flatMap((one) => sourcesOf(one).map((file) => readFileSync(path.join(ROOT, file), "utf8")));
  return texts.flatMap((text) =>
    [...text.matchAll(/^( *)(?:export )?interface EventMap \{\n([\s\S]*?)\n\1\}/gm)].flatMap(([, , body]) =>
      [...body!.matchAll(/^ {2,4}"([a-z-]+:[a-z-]+)":/gm)].map(([, name]) => name!),
    ),
  );
}

const names = declared().toSorted();

describe("the events", () => {
  it("are found in the sources", () => {
    expect(names.length).toBeGreaterThan(40);
    expect(new Set(names).size).toBe(names.length);
  });

  it("have a level each, for logs", () => {
    expect(Object.keys(LOG_LEVELS).toSorted()).toEqual(names);
  });

  it("are all that telemetry counts, by names that there are", async () => {
    const sdk = new MemorySdk();
    const pool = fakePool();
    const heard = vi.spyOn(pool.events, "on");
    telemetry({ meterProvider: sdk.meterProvider })(pool);
    const counted = heard.mock.calls.map(([name]) => name as string);
    expect(counted.filter((name) => !names.includes(name))).toEqual([]);
    expect(counted.length).toBeGreaterThan(40);
    // What the others tell is no trouble: what the server says, what a driver's own pool does, the end of a pool.
    const others = ["connection:notice", "pg:connected", "pg:lost", "pg:removed", "pool:closed"];
    expect(names.filter((name) => !counted.includes(name))).toEqual(others);
    await sdk.shutdown();
  });
});

describe("diagnostics channels", () => {
  const undo: (() => void)[] = [];
  const heardOn = (name: string): unknown[] => {
    const heard: unknown[] = [];
    const listener = (message: unknown): void => void heard.push(message);
    subscribe(name, listener);
    undo.push(() => unsubscribe(name, listener));
    return heard;
  };

  afterEach(() => {
    for (const each of undo.splice(0)) each();
  });

  it.each(names)("have %s", (name) => {
    const event = name as keyof EventMap;
    const heard = heardOn(`breakwater:${name}`);
    const message = { pool: "db" } as EventMap[typeof event];
    new Events().emit(event, message);
    expect(heard).toEqual([message]);
    expect(heard[0]).toBe(message);
  });

  it("hear an event once, however many buses it passes", () => {
    const [node, router, stack] = [new Events(), new Events(), new Events()];
    node.forwardTo(router);
    router.forwardTo(stack);
    const heard = heardOn("breakwater:pool:closed");
    const listened: unknown[] = [];
    stack.on("pool:closed", (event) => listened.push(event));
    node.emit("pool:closed", { pool: "db" });
    expect(heard).toEqual([{ pool: "db" }]);
    expect(listened).toEqual([{ pool: "db" }]);
  });

  it("make an event worth making", () => {
    const events = new Events();
    expect(events.has("connection:used")).toBe(false);
    heardOn("breakwater:connection:used");
    expect(events.has("connection:used")).toBe(true);
    for (const each of undo.splice(0)) each();
    expect(events.has("connection:used")).toBe(false);
  });
});
