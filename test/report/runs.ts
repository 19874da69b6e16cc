/** Runs as the report is given them: one that went well, one that did not. */
import type { RunRecord } from "@breakwater/chaos";

/** A text that would leave its place in a page that does not escape. */
export const HOSTILE = `</script><script>document.title = "taken"</script><img src=x onerror="document.title = 'taken'">"'&`;

export function run(subject: string, changes: Partial<RunRecord> = {}): RunRecord {
  const samples = Array.from({ length: 40 }, (_, index) => ({
    atMs: index * 200,
    ok: index > 14 && index < 18 ? 0 : 40,
    failed: index === 15 ? 3 : 0,
    unknown: index === 16 ? 2 : 0,
    running: 3,
    latencies: index > 14 && index < 18 ? {} : { read: { count: 40, p50: 1, p95: 3, p99: 9 + index, max: 60 } },
  }));
  return {
    format: 1,
    scenario: "failover",
    description: "The primary is killed.",
    seed: 77,
    subject,
    startedAt: "2026-11-21T12:00:00.000Z",
    durationMs: 8_000,
    setupMs: 1_000,
    options: {},
    samples,
    latencies: { read: { count: 1_480, p50: 1, p95: 3, p99: 40, max: 60 } },
    faults: [
      { level: "cluster", name: "kill", target: "n1", fromMs: 3_000, toMs: 5_000, hits: 0 },
      { level: "wire", name: "dropReply", target: "n2", fromMs: 1_000, toMs: 6_000, hits: 7 },
    ],
    nodes: [
      {
        name: "n1",
        spans: [
          { fromMs: 0, toMs: 3_000, state: "primary", detail: "running" },
          { fromMs: 3_000, toMs: 8_000, state: "primary", detail: "stopped" },
        ],
      },
    ],
    breakers: [{ name: "n1", spans: [{ fromMs: 0, toMs: 8_000, state: "closed" }] }],
    events: [{ atMs: 3_600, name: "router:role-changed", text: "n2 is primary" }],
    steps: [{ path: "steps[0]", text: "kill n1", status: "done", fromMs: 3_000, toMs: 3_004 }],
    violations: [],
    violationCounts: {},
    errors: [],
    totals: { calls: 1_485, ok: 1_480, failed: 3, unknown: 2, pending: 0 },
    connectionsLeft: 0,
    verdict: "passed",
    problem: null,
    ...changes,
  };
}

/** A run with violations, whose every text is hostile. */
export function violated(subject: string): RunRecord {
  return run(subject, {
    description: HOSTILE,
    verdict: "violated",
    violations: [
      {
        kind: "doubled-write",
        message: `row 7 is there twice ${HOSTILE}`,
        operations: [
          { index: 7, session: HOSTILE, text: HOSTILE, outcome: "ok", fromMs: 3_100, toMs: 3_300, error: HOSTILE },
          { index: 8, session: "s", text: "write 8", outcome: "pending", fromMs: 3_150 },
        ],
      },
      { kind: "failed-calls", message: "3 calls failed, at most 0 may", operations: [] },
    ],
    violationCounts: { "doubled-write": 9, "failed-calls": 1 },
    errors: [{ code: "57P01", count: 3, example: HOSTILE }],
    problem: HOSTILE,
    faults: [{ level: "wire", name: HOSTILE, target: HOSTILE, fromMs: 0, toMs: 8_000, hits: 1 }],
  });
}
