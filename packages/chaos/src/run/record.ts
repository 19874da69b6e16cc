/**
 * What one run leaves behind: plain data, written as JSON and drawn by the report. All moments are milliseconds since the load
 * began; `toMs` of what was still so in the end is the end of the run.
 */
import type { ViolationKind } from "../history/violation.ts";

/** What a call asks of the database, as latencies are told apart. */
export type CallAccess = "read" | "write" | "transaction";

/** Latencies of the calls that were answered within one stretch of time, in milliseconds. */
export interface Latencies {
  /** How many there were. */
  readonly count: number;
  /** Half of them took no longer. */
  readonly p50: number;
  /** 95 in a hundred took no longer. */
  readonly p95: number;
  /** 99 in a hundred took no longer. */
  readonly p99: number;
  /** The longest. */
  readonly max: number;
}

/** One stretch of time. */
export interface RunSample {
  /** When it began; it lasts until the next one begins. */
  readonly atMs: number;
  /** Calls that were answered in it, by what their callers were told. */
  readonly ok: number;
  /** Answered in it, with an error that says that nothing was kept. */
  readonly failed: number;
  /** Answered in it, with an error that leaves open what happened. */
  readonly unknown: number;
  /** Calls that ran at its end. */
  readonly running: number;
  /** Absent for what was not answered once. */
  readonly latencies: Readonly<Partial<Record<CallAccess, Latencies>>>;
}

/** A fault, as a band over the time that it was on. */
export interface RunFault {
  /** Where it was injected. */
  readonly level: "policy" | "wire" | "cluster";
  /** Such as `dropReply`. */
  readonly name: string;
  /** Name of the node, or of what else it struck. */
  readonly target: string;
  /** When it began, in milliseconds since the load began. */
  readonly fromMs: number;
  /** When it ended. */
  readonly toMs: number;
  /** How often it struck. */
  readonly hits: number;
}

/** How something stood over a time. */
export interface RunSpan {
  /** When it began, in milliseconds since the load began. */
  readonly fromMs: number;
  /** When it ended. */
  readonly toMs: number;
  /** Of nodes `primary` or `replica`, of breakers `closed`, `open`, `half-open` or `isolated`. */
  readonly state: string;
  /** Of nodes `running`, `stopped` or `hung`. */
  readonly detail?: string;
}

/** What happened to one node, or one breaker; spans follow each other without gaps. */
export interface RunLane {
  /** Name of the node or breaker. */
  readonly name: string;
  /** How it stood, in order. */
  readonly spans: readonly RunSpan[];
}

/** Something that the subject told, such as `router:role-changed`. */
export interface RunEvent {
  /** When, in milliseconds since the load began. */
  readonly atMs: number;
  /** Name of the event. */
  readonly name: string;
  /** What it says, in a few words. */
  readonly text: string;
}

/** One step of the scenario. */
export interface RunStep {
  /** Where it stands, such as `steps[2]` or `steps[3].repeat#2.steps[0]`. */
  readonly path: string;
  /** What it is, in one line, with what the dice gave. */
  readonly text: string;
  /** `unmet`: a condition that the subject did not come to; `broken`: it could not be done. */
  readonly status: "done" | "unmet" | "broken" | "skipped";
  /** When it began, in milliseconds since the load began. */
  readonly fromMs: number;
  /** When it ended. */
  readonly toMs: number;
  /** Why it is `unmet` or `broken`. */
  readonly error?: string;
}

/** One call, as far as a violation concerns it. */
export interface RunOperation {
  /** Its place in the history, from 0. */
  readonly index: number;
  /** Who asked. */
  readonly session: string;
  /** Such as `write "a"`. */
  readonly text: string;
  /** What they were told. */
  readonly outcome: "ok" | "fail" | "unknown" | "pending";
  /** When it was asked, in milliseconds since the load began. */
  readonly fromMs: number;
  /** Absent while it was not answered. */
  readonly toMs?: number;
  /** Code and message. */
  readonly error?: string;
}

/**
 * What was broken: a violation of the history, or of what the scenario expects. `failed-calls`, `unknown-calls`, `few-calls` and
 * `slow-calls`: a bound; `stalled`: a condition that the subject did not come to; `connections-left`: open after it was closed.
 */
export interface RunViolation {
  /** Which rule was broken. */
  readonly kind: ViolationKind | ExpectationKind;
  /** What happened, in one sentence. */
  readonly message: string;
  /** At most 20 of them. */
  readonly operations: readonly RunOperation[];
}

/** What a scenario expects besides a history without violations. */
export type ExpectationKind =
  | "failed-calls"
  | "unknown-calls"
  | "few-calls"
  | "slow-calls"
  | "stalled"
  | "connections-left";

/** An error by its code. */
export interface RunError {
  /** Code of the error, or where it has none the beginning of what it says. */
  readonly code: string;
  /** How often callers were told it. */
  readonly count: number;
  /** The message of the first. */
  readonly example: string;
}

/** One run. */
export interface RunRecord {
  /** Of this format. */
  readonly format: 1;
  /** Name of the scenario. */
  readonly scenario: string;
  /** What the scenario shows. */
  readonly description: string;
  /** Gives the same dice again. */
  readonly seed: number;
  /** Who was tried, such as `breakwater`. */
  readonly subject: string;
  /** When the load began, as ISO 8601. */
  readonly startedAt: string;
  /** How long load and steps took. */
  readonly durationMs: number;
  /** How long it took to start the servers. */
  readonly setupMs: number;
  /** Cluster, workload and expectations of the scenario, with their defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The course of the run: one stretch for each 200 ms. */
  readonly samples: readonly RunSample[];
  /** Over the whole run. */
  readonly latencies: Readonly<Partial<Record<CallAccess, Latencies>>>;
  /** The faults, in the order of their beginning. */
  readonly faults: readonly RunFault[];
  /** How the nodes stood, each from the beginning to the end. */
  readonly nodes: readonly RunLane[];
  /** How the breakers stood; empty for a subject that has none. */
  readonly breakers: readonly RunLane[];
  /** What the subject told, where it lets itself be observed. */
  readonly events: readonly RunEvent[];
  /** The steps in the order of their ends, those that were skipped too. */
  readonly steps: readonly RunStep[];
  /** At most 500 of them; `violationCounts` counts all. */
  readonly violations: readonly RunViolation[];
  /** Violations by kind. */
  readonly violationCounts: Readonly<Record<string, number>>;
  /** Errors that callers were told, by code, the most frequent first. */
  readonly errors: readonly RunError[];
  /** Calls of the whole run, by outcome. */
  readonly totals: {
    readonly calls: number;
    readonly ok: number;
    readonly failed: number;
    readonly unknown: number;
    readonly pending: number;
  };
  /** Connections that were open after the subject was closed; null where nobody looked. */
  readonly connectionsLeft: number | null;
  /** `broken`: the run itself could not be done, and says nothing of the subject; see `problem`. */
  readonly verdict: "passed" | "violated" | "broken";
  /** Why the run could not be done; null when it could. */
  readonly problem: string | null;
}
