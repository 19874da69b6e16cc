/** What an overload must not be taken for. */
import type { EventMap, Pool } from "@breakwater/core";
import type { SimulatedProcess } from "@breakwater/chaos/simulate";
import { bulkhead } from "@breakwater/policies";
import { expect, it } from "vitest";
import { preset } from "./stacks.ts";
import { surge } from "./surge.ts";

it("a caller that gives up while its connection is being opened takes no node for dead", async () => {
  // No bulkhead: the server has too much to do, and opens a connection for each call that ran out of time.
  const down: EventMap["router:node-down"][] = [];
  const stack = (given: SimulatedProcess): Pool => {
    const pool = preset()(given) as Pool;
    pool.events.on("router:node-down", (event) => void down.push(event));
    return pool;
  };
  const surged = await surge({ stack, calmMs: 2_000, surgeMs: 8_000, afterMs: 2_000 });
  const codes = [...surged.codes.keys()];
  expect(codes.filter((code) => code.endsWith("connect"))).toHaveLength(1);
  expect(down).toEqual([]);
});

it("a call that was refused asks the server nothing", async () => {
  let asked = 0;
  const stack = (given: SimulatedProcess): Pool => {
    const around = () => bulkhead({ clock: given.clock, maxQueued: 0 });
    const inner = given.nodes.primary;
    const execute: Pool["execute"] = (operation) => {
      if (operation.kind === "query" && operation.purpose !== "probe" && operation.statement.text === "") asked += 1;
      return inner.execute(operation);
    };
    const { name, dialect, events, layers } = inner;
    const rest = { name, dialect, events, layers };
    const primary: Pool = {
      ...rest,
      execute,
      stats: () => inner.stats(),
      interrupt: (reason, whom) => inner.interrupt(reason, whom),
      close: (options) => inner.close(options),
    };
    return preset(around)({ ...given, nodes: { primary, replicas: [] } }) as Pool;
  };
  const surged = await surge({ stack, calmMs: 2_000, surgeMs: 8_000, afterMs: 2_000 });
  expect(surged.codes.get("ERR_BREAKWATER_BULKHEAD_FULL acquire")).toBeGreaterThan(1_000);
  expect(asked).toBe(0);
});
