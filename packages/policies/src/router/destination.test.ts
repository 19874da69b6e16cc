import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Dialect,
  type FunctionCatalog,
  type OperationContext,
  OptionError,
  operationContext,
  queryOperation,
} from "@breakwater/core";
import { fakeDialect, ManualClock } from "@breakwater/core/testing";
import { Destinations, type Rule } from "./destination.ts";
import { Remembered } from "./remembered.ts";

const call = (text: string, context: Partial<OperationContext> = {}) =>
  queryOperation(
    { text },
    { ...operationContext(fakeDialect.classify(text) === "read" ? "read" : "write"), ...context },
  );

function made(rules: readonly Rule[], dialect: Dialect = fakeDialect, lookUpFunctions = true) {
  const clock = new ManualClock();
  const destinations = new Destinations(dialect, { rules, lookUpFunctions, clock }, (question) =>
    question({ query: () => Promise.reject(new Error("no database")), discard: () => undefined, driver: undefined }),
  );
  return { clock, destinations };
}

/** Where a call goes: read or write, strong or not, and to which node. */
function to(rules: readonly Rule[], text: string, context: Partial<OperationContext> = {}): string {
  const { operation, node } = made(rules).destinations.of(call(text, context));
  return [operation.access, operation.consistency, ...(node === undefined ? [] : [node])].join(" ");
}

describe("rules", () => {
  it("are asked in their order, and the first that fits counts", () => {
    const rules: Rule[] = [
      { match: /from reports/i, to: "reports" },
      { match: "select * from *", to: "primary" },
      { match: /from/, access: "write" },
    ];
    expect(to(rules, "SELECT 1 FROM reports")).toBe("read session reports");
    expect(to(rules, "SELECT a\n FROM b")).toBe("read strong");
    expect(to(rules, "select 1 from b")).toBe("read strong");
    expect(to(rules, "SELECT 1")).toBe("read session");
  });

  it.each<[string, Rule, string]>([
    ["a call of a certain label", { label: "report", to: "replica" }, "read session"],
    [
      "what a function says",
      { match: ({ kind, label }) => kind === "query" && label === "report", to: "n3" },
      "write session n3",
    ],
    ["a replica, but as a write", { match: "CALL*", to: "replica", access: "write" }, "write session"],
    ["nothing where one condition does not hold", { match: "CALL *", label: "other", to: "primary" }, "write session"],
    ["the primary", { match: "CALL *", to: "primary" }, "write strong"],
  ])("can fit %s", (_what, rule, expected) => {
    expect(to([rule], "CALL x()", { label: "report" })).toBe(expected);
  });

  it("are not asked where the caller has said what the call is", () => {
    const rules: Rule[] = [{ match: () => true, to: "primary", access: "write" }];
    expect(to(rules, "SELECT 1", { accessSaid: true })).toBe("read session");
    expect(to(rules, "SELECT 1")).toBe("write strong");
  });

  it("do not remember where a pattern stopped", () => {
    const rules: Rule[] = [{ match: /select/gi, to: "primary" }];
    const { destinations } = made(rules);
    for (let go = 0; go < 3; go += 1) expect(destinations.of(call("SELECT 1")).operation.consistency).toBe("strong");
  });

  it("take a star for anything and everything else for itself", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (before, between, after) => {
        const [start, end] = [before.replaceAll("*", ""), after.replaceAll("*", "")];
        fc.pre(`${start}${end}`.trim() !== "");
        expect(to([{ match: `${start}*${end}`, to: "primary" }], `${start}${between}${end}`)).toMatch("strong");
      }),
    );
    expect(to([{ match: "SELECT (1)", to: "primary" }], "SELECT 1")).toBe("read session");
  });

  it("can be about functions: all that a read calls, any that another calls", () => {
    const functions: FunctionCatalog = {
      undecided: (text) => [...text.matchAll(/(\w+)\(\)/g)].map(([, name = ""]) => name),
      harmless: () => Promise.resolve(new Set(["f", "g", "h"])),
    };
    const dialect = { ...fakeDialect, functions };
    const goes = (rule: Rule, text: string): string => {
      const { operation } = made([rule], dialect).destinations.of(call(text));
      return `${operation.access} ${operation.consistency}`;
    };
    expect(goes({ functions: ["f", "g"], access: "read" }, "CALL f() g()")).toBe("read session");
    expect(goes({ functions: ["f", "g"], access: "read" }, "CALL f() h()")).toBe("write session");
    expect(goes({ functions: ["f", "g"], access: "read" }, "CALL nothing")).toBe("write session");
    expect(goes({ functions: ["f"], to: "primary" }, "SELECT f() h()")).toBe("read strong");
    expect(() => made([{ functions: ["f"], to: "primary" }])).toThrow(OptionError);
    expect(() => made([{ functions: [], to: "primary" }], dialect)).toThrow("router.rules[0].functions");
  });

  it("leave a call that fits none as it is, the same object", () => {
    const operation = call("SELECT 1");
    expect(made([{ match: /x/, to: "primary" }]).destinations.of(operation).operation).toBe(operation);
  });
});

describe("what was learned of a text", () => {
  it("makes a write of a read that a standby refused, but never against the caller's word", () => {
    const { destinations } = made([]);
    destinations.refused(call("SELECT hidden"));
    destinations.refused(call("SELECT said", { accessSaid: true }));
    expect(destinations.of(call("SELECT hidden")).operation.access).toBe("write");
    expect(destinations.of(call("SELECT hidden", { accessSaid: true })).operation.access).toBe("read");
    expect(destinations.of(call("SELECT said")).operation.access).toBe("read");
    expect(destinations.refusedTexts).toBe(1);
  });
});

describe("functions that the dialect does not know", () => {
  function looked(harmless: (names: readonly string[]) => readonly string[]) {
    const asked: string[][] = [];
    const functions: FunctionCatalog = {
      undecided: (text) => [...text.matchAll(/(\w+)\(\)/g)].map(([, name = ""]) => name),
      harmless: (_connection, names) => {
        asked.push([...names]);
        return Promise.resolve(new Set(harmless(names)));
      },
    };
    const { clock, destinations } = made([], { ...fakeDialect, functions });
    const access = (text: string): string => destinations.of(call(text)).operation.access;
    return { clock, asked, access };
  }

  it("are a write until the catalog has answered, and asked for once", async () => {
    const { clock, asked, access } = looked((names) => names.filter((name) => name !== "writes"));
    expect([access("CALL f()"), access("CALL f()")]).toEqual(["write", "write"]);
    await clock.advance(0);
    expect(asked).toEqual([["f"]]);
    expect(access("CALL f()")).toBe("read");
    expect(access("CALL f() writes()")).toBe("write");
    await clock.advance(0);
    expect(access("CALL f() writes()")).toBe("write");
    expect(asked).toEqual([["f"], ["writes"]]);
  });

  it("are asked for anew after a minute, and until then and meanwhile believed", async () => {
    let harmless = true;
    const { clock, asked, access } = looked((names) => (harmless ? names : []));
    access("CALL f()");
    await clock.advance(59_999);
    expect(access("CALL f()")).toBe("read");
    harmless = false;
    await clock.advance(1);
    expect(access("CALL f()")).toBe("read");
    await clock.advance(0);
    expect(access("CALL f()")).toBe("write");
    expect(asked).toHaveLength(2);
  });

  it("are asked for at most once a second while the catalog cannot be asked", async () => {
    const { clock, asked, access } = looked(() => {
      throw new Error("not allowed");
    });
    for (let go = 0; go < 50; go += 1) {
      expect(access("CALL f()")).toBe("write");
      await clock.advance(50);
    }
    expect(asked.length).toBeLessThanOrEqual(3);
    expect(asked.length).toBeGreaterThan(1);
  });
});

describe("a memory for texts", () => {
  it("forgets the least used, and never grows beyond its bound", () => {
    const memory = new Remembered();
    for (let text = 0; text < 10_000; text += 1) {
      memory.add(`text ${text}`);
      expect(memory.has("text 0")).toBe(true);
    }
    expect(memory.size).toBeLessThanOrEqual(2_000);
    expect(memory.has("text 5")).toBe(false);
    memory.add("x".repeat(10_000));
    expect(memory.has("x".repeat(10_000))).toBe(false);
  });
});
