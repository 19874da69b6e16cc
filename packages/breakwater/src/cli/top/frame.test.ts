import { describe, expect, it } from "vitest";
import type { DatabaseReport, EventReport, NodeReport, StatusReport } from "../../status/report.ts";
import { frame, type FrameOptions } from "./frame.ts";
import { cells, paintIf } from "./text.ts";

const latency = { p50: 1.25, p95: 12.3, p99: 99.9 };
const recent = { ms: 10_000, calls: 1_000, failed: 12, callsPerSecond: 100, latency, wait: latency };
const total = {
  calls: 9_999,
  failed: 12,
  opened: 3,
  closed: 1,
  refused: 0,
  connectionErrors: 0,
  timeouts: 0,
  sqlErrors: {},
  latency,
};
const pool = { total: 5, idle: 2, active: 3, waiting: 0, connecting: 0, max: 10 };

function node(name: string, changes: Partial<NodeReport> = {}): NodeReport {
  const standing = { drained: false, ejected: false, lagging: false, fenced: false, starting: false };
  const is = { role: "replica", state: "up", breaker: "closed", lag: { ms: 250, bytes: 4_096 }, weight: 1 } as const;
  return { name, ...is, ...standing, stack: ["circuit-breaker"], pool, recent, total, policies: [], ...changes };
}

function event(id: number, text = `node db${id}`): EventReport {
  return { id, time: "2026-11-21T12:00:00.000Z", level: "warn", name: "router:node-down", text, times: 1 };
}

function shop(changes: Partial<DatabaseReport> = {}): DatabaseReport {
  return {
    name: "shop",
    status: "degraded",
    stack: ["timeout", "retry", "commit-resolution", "router"],
    waitingForNode: 0,
    pool: { ...pool, max: 30 },
    recent,
    total,
    policies: [],
    nodes: [
      node("db1.internal:5432/shop", { role: "primary", lag: null }),
      node("db2.internal:5432/shop", { drained: true }),
      node("db3.internal:5432/shop", { role: "unknown", state: "down", breaker: "open", lag: null }),
    ],
    controls: [],
    events: Array.from({ length: 20 }, (_, index) => event(index + 1)),
    ...changes,
  };
}

function report(...databases: DatabaseReport[]): StatusReport {
  return { format: 1, time: "2026-11-21T12:00:00.000Z", uptimeMs: 1, actions: false, databases };
}

function drawn(of: StatusReport | undefined, changes: Partial<FrameOptions> = {}): string[] {
  return frame(of, { width: 100, paint: paintIf(false), address: "http://127.0.0.1:9464/", events: 5, ...changes });
}

describe("frame", () => {
  it("is never wider than the terminal, and tells more the wider that is", () => {
    let columns = 0;
    for (let width = 40; width <= 200; width += 1) {
      const lines = drawn(report(shop()), { width });
      expect([width, lines.filter((line) => cells(line) > width)]).toEqual([width, []]);
      const title = lines.find((line) => line.startsWith("NODE"))!;
      expect(title.split(/\s+/).length).toBeGreaterThanOrEqual(columns);
      columns = title.split(/\s+/).length;
      expect(lines.some((line) => /^db1.*up/.test(line))).toBe(true);
      expect(lines.some((line) => /^db2.*drained/.test(line))).toBe(true);
      expect(lines.some((line) => /^db3.*down/.test(line))).toBe(true);
    }
    expect(columns).toBe(12);
  });

  it("is no wider in colours", () => {
    const plain = drawn(report(shop()), { width: 80 });
    const painted = drawn(report(shop()), { width: 80, paint: paintIf(true) });
    expect(painted).not.toEqual(plain);
    // oxlint-disable-next-line no-control-regex -- that is what a colour begins with
    expect(painted.map((line) => line.replaceAll(/\u001B\[\d+m/g, "").trimEnd())).toEqual(
      plain.map((line) => line.trimEnd()),
    );
  });

  it("keeps to the height, and gives the events what room is left", () => {
    for (const height of [5, 12, 15, 24, 60]) {
      const lines = drawn(report(shop()), { height });
      expect(lines.length).toBeLessThanOrEqual(height);
    }
    const tall = drawn(report(shop()), { height: 60 });
    expect(tall.filter((line) => line.includes("router:node-down"))).toHaveLength(20);
    expect(drawn(report(shop()), { height: 10 })).not.toContain("EVENTS");
  });

  it("shows the newest event first", () => {
    const lines = drawn(report(shop()));
    const at = lines.indexOf("EVENTS");
    expect(lines.slice(at + 1).map((line) => line.split("  ")[1])).toEqual(
      [20, 19, 18, 17, 16].map((id) => `node db${id}`),
    );
  });

  it("lets nothing of what a server says steer the terminal", () => {
    const hostile = "a\u001B[2Jb\u0007\u009B31m\r\n\u202Ec\u2028";
    const lines = drawn(
      report(
        shop({
          name: hostile,
          stack: [hostile],
          nodes: [node(hostile, { breaker: hostile, role: hostile as never })],
          events: [event(1, hostile), { ...event(2), name: hostile }],
          status: hostile as never,
        }),
      ),
      { address: hostile, note: hostile },
    );
    expect(lines.join("")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
  });

  it("counts cells, not characters", () => {
    const lines = drawn(report(shop({ nodes: [node("データベース一号機の東京リージョン")] })), { width: 60 });
    expect(lines.filter((line) => cells(line) > 60)).toEqual([]);
  });

  it("says what is wrong while there is nothing to show", () => {
    expect(drawn(undefined, { note: "no answer" })).toEqual([expect.stringMatching(/^breakwater/), "no answer"]);
  });

  it("shows several databases", () => {
    const lines = drawn(report(shop(), shop({ name: "audit", status: "ok", waitingForNode: 3 })));
    expect(lines).toContain("shop degraded");
    expect(lines).toContain("audit ok");
    expect(lines.join("\n")).toContain("3 wait for a node");
  });
});
