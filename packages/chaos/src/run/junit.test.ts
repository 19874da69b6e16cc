import { describe, expect, it } from "vitest";
import { junitXml } from "./junit.ts";
import type { RunRecord } from "./record.ts";

function record(more: Partial<RunRecord> = {}): RunRecord {
  return {
    format: 1,
    scenario: "failover",
    description: "",
    seed: 7,
    subject: "breakwater",
    startedAt: "2026-01-02T03:04:05.678Z",
    durationMs: 1_500,
    setupMs: 500,
    options: {},
    samples: [],
    latencies: {},
    faults: [],
    nodes: [],
    breakers: [],
    events: [],
    steps: [],
    violations: [],
    violationCounts: {},
    errors: [],
    totals: { calls: 3, ok: 2, failed: 1, unknown: 0, pending: 0 },
    connectionsLeft: 0,
    verdict: "passed",
    problem: null,
    ...more,
  };
}

interface Element {
  readonly name: string;
  readonly attributes: Record<string, string>;
  readonly children: Element[];
  text: string;
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- what XML cannot hold
  if (/[<\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/.test(text) || !text.isWellFormed())
    throw new Error(`not XML: ${text}`);
  return text.replaceAll(/&(?:(\w+)|#(\d+));|&/g, (all, name?: string, code?: string) => {
    if (code !== undefined) return String.fromCodePoint(Number(code));
    const found = name === undefined ? undefined : ENTITIES[name];
    if (found === undefined) throw new Error(`unknown entity ${all}`);
    return found;
  });
}

/** Reads XML without doctype, comments and CDATA; throws for what is not well-formed. */
function parse(xml: string): Element {
  const root: Element = { name: "", attributes: {}, children: [], text: "" };
  const open = [root];
  const body = xml.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n/, "");
  expect(body).not.toBe(xml);
  for (const [, tag = "", between] of body.matchAll(/<([^<>]*)>([^<]*)/g)) {
    const current = open.at(-1);
    if (tag.startsWith("/")) {
      if (open.pop()?.name !== tag.slice(1)) throw new Error(`closed by </${tag}>`);
    } else {
      const [, name, attributes = "", end] = /^([a-z-]+)((?: [a-z]+="[^"<]*")*)(\/?)$/.exec(tag) ?? [];
      if (name === undefined) throw new Error(`no tag: ${tag}`);
      const pairs = [...attributes.matchAll(/ ([a-z]+)="([^"]*)"/g)].map(([, key, value = ""]) => [key, plain(value)]);
      const element: Element = {
        name,
        attributes: Object.fromEntries(pairs) as Record<string, string>,
        children: [],
        text: "",
      };
      current?.children.push(element);
      if (end === "") open.push(element);
    }
    const last = open.at(-1);
    if (last !== undefined) last.text += plain(between ?? "");
  }
  expect(open).toHaveLength(1);
  expect(root.children).toHaveLength(1);
  const [only] = root.children;
  if (only === undefined) throw new Error("there is no element");
  return only;
}

describe("junitXml", () => {
  it("has a suite for each scenario and a case for each run, with their counts", () => {
    const violation = { kind: "lost-write", message: "row is gone", operations: [] } as const;
    const violated = record({ verdict: "violated", violations: [violation], violationCounts: { "lost-write": 1 } });
    const broken = record({ scenario: "reply-loss", verdict: "broken", problem: "no server" });
    const root = parse(junitXml([record(), { ...violated, seed: 8 }, broken]));
    expect(root.attributes).toMatchObject({ tests: "3", failures: "1", errors: "1", time: "6.000" });
    const [first, second] = root.children;
    expect(first).toMatchObject({
      name: "testsuite",
      attributes: { name: "failover", tests: "2", timestamp: "2026-01-02T03:04:05" },
    });
    const [passed, failed] = first?.children ?? [];
    expect(passed?.attributes).toEqual({ name: "breakwater, seed 7", classname: "failover", time: "2.000" });
    expect(passed?.children.map(({ name }) => name)).toEqual(["system-out"]);
    expect(failed?.children[0]).toMatchObject({
      name: "failure",
      attributes: { message: "1 × lost-write", type: "lost-write" },
    });
    expect(failed?.children[0]?.text.trim()).toBe("lost-write: row is gone");
    expect(second?.children[0]?.children[0]).toMatchObject({ name: "error", attributes: { message: "no server" } });
  });

  it("survives whatever stands in names and messages", () => {
    const nasty = `<a href="x">&amp; ]]> 'q' \u0000\u001B[31m \uFFFF \uD800 😀\r\n\tend`;
    // oxlint-disable-next-line no-control-regex -- what XML cannot hold
    const shown = nasty.replaceAll(/[\u0000\u001B\uFFFF]|\uD800(?![\uDC00-\uDFFF])/g, "\uFFFD");
    const violation = { kind: "lost-write", message: nasty, operations: [] } as const;
    const root = parse(
      junitXml([
        record({ subject: nasty, verdict: "violated", violations: [violation], violationCounts: { "lost-write": 1 } }),
        record({ verdict: "broken", problem: nasty }),
      ]),
    );
    const [violated, broken] = root.children[0]?.children ?? [];
    expect(violated?.attributes["name"]).toBe(`${shown}, seed 7`);
    expect(violated?.children[0]?.text.trim()).toBe(`lost-write: ${shown}`);
    expect(broken?.children[0]?.attributes["message"]).toBe(shown);
  });

  it("has an error for the runs that could not be made", () => {
    const root = parse(junitXml([record()], { problem: "no <server>" }));
    expect(root.attributes).toMatchObject({ tests: "2", failures: "0", errors: "1" });
    const [test] = root.children.at(-1)?.children ?? [];
    expect(test?.children[0]?.attributes["message"]).toBe("no <server>");
    expect(() => junitXml([], { problems: "x" } as never)).toThrow("unknown option problems");
  });

  it("is a report of nothing when nothing was run", () => {
    expect(parse(junitXml([])).attributes).toMatchObject({ tests: "0", failures: "0", time: "0.000" });
  });

  it("is read by a parser that would tell otherwise", () => {
    expect(() => parse(`<?xml version="1.0" encoding="UTF-8"?>\n<a b="&nope;"/>`)).toThrow("entity");
    expect(() => parse(`<?xml version="1.0" encoding="UTF-8"?>\n<a></b>`)).toThrow("closed by");
  });
});
