/**
 * The record of one call: which layers it met, which node was tried and why, what it waited for, and how it ended.
 *
 * As a policy it stands outside all others; `db.explain(run)` puts it around the stack for the calls of one function.
 */
import { type Clock, systemClock } from "../waiting/clock.ts";
import { OptionError } from "../contract/errors.ts";
import type { Operation } from "../contract/operation.ts";
import { knownOptions } from "../contract/options.ts";
import { policy, type Policy } from "../contract/policy.ts";
import type { Pool } from "../contract/pool.ts";
import {
  RecordingTrace,
  told,
  type ToldError,
  type TraceNote,
  type TracePass,
  type TraceWait,
  type WaitReason,
} from "./trace.ts";

/** What there is to know of one call. Plain as JSON; no parameters, no text of a statement, no message of a driver. */
export interface CallRecord {
  /** Name of the pool that it was made on. */
  readonly pool: string;
  /** Which of the three kinds of call it was. */
  readonly kind: Operation<unknown>["kind"];
  /** Its label; undefined when it has none. */
  readonly label: string | undefined;
  /** What the caller said, or what was read from the statement before any rule or node had a say. */
  readonly access: "read" | "write";
  /** Whether the caller said `access`. */
  readonly accessSaid: boolean;
  /** How fresh what it read had to be: `eventual`, `session` or `strong`. */
  readonly consistency: string;
  /** `critical`, `normal` or `sheddable`. */
  readonly priority: string;
  /** Whether it may be carried out twice: the caller said so, or gave an `idempotencyKey`. */
  readonly idempotent: boolean;
  /** The layers of the stack, from the outside in. */
  readonly layers: readonly string[];
  /** How it ended for its caller: well, or with which error. */
  readonly outcome: { readonly status: "ok" } | ({ readonly status: "failed" } & ToldError);
  /** How long it took for its caller, all attempts together, in milliseconds. */
  readonly tookMs: number;
  /** How many goes there were at it, those of `hedge` left out. */
  readonly attempts: number;
  /** The nodes that it was sent to, in order; empty without a router. */
  readonly nodes: readonly string[];
  /** Where the time went, in milliseconds: the waits by what for, and `running`, which is all the rest. */
  readonly times: Readonly<Partial<Record<WaitReason | "running", number>>>;
  /** Its ways through the layers, in the order of their beginning. */
  readonly passes: readonly TracePass[];
  /** Its waits, in the order of their ends; one that had not ended is left out. */
  readonly waits: readonly TraceWait[];
  /** What was decided and what went wrong on the way, in order. */
  readonly notes: readonly TraceNote[];
  /** Entries that were left out, of a call that went on and on. */
  readonly dropped: number;
}

/** Options of `explain`. */
export interface ExplainOptions {
  /** Is given the record of each call as it ends. One that throws becomes a process warning. */
  readonly report: (record: CallRecord) => void;
  /** Which calls are recorded. @default all */
  readonly only?: (operation: Operation<unknown>) => boolean;
  /** Source of the time; the same as the stack's. @default systemClock */
  readonly clock?: Clock;
}

/**
 * Makes the policy that records calls. A recorded call costs some microseconds; one that `only` leaves out, nothing.
 * @throws OptionError when an option is unknown or out of range.
 */
export function explain(options: ExplainOptions): Policy {
  const { report, only, clock = systemClock } = knownOptions("explain", options, ["report", "only", "clock"]);
  if (typeof report !== "function") throw new OptionError("explain.report", report, "a function");
  if (only !== undefined && typeof only !== "function") throw new OptionError("explain.only", only, "a function");
  if (typeof clock?.setTimer !== "function") throw new OptionError("explain.clock", clock, "a clock");
  return policy("explain", (operation, next, inner) => {
    if (operation.purpose === "probe" || operation.trace !== undefined || only?.(operation) === false) {
      return next(operation);
    }
    return recorded(operation, next, inner, clock, report);
  });
}

async function recorded<T>(
  operation: Operation<T>,
  next: (operation: Operation<T>) => Promise<T>,
  inner: Pool,
  clock: Clock,
  report: ExplainOptions["report"],
): Promise<T> {
  const trace = new RecordingTrace(clock);
  let outcome: CallRecord["outcome"] = { status: "ok" };
  try {
    return await next({ ...operation, trace });
  } catch (error) {
    outcome = { status: "failed", ...told(error) };
    throw error;
  } finally {
    tell(report, recordOf(operation, inner, trace, outcome));
  }
}

function recordOf(
  operation: Operation<unknown>,
  inner: Pool,
  trace: RecordingTrace,
  outcome: CallRecord["outcome"],
): CallRecord {
  const tookMs = trace.now();
  const { notes, passes, waits } = trace.snapshot();
  const { kind, label, access, accessSaid, consistency, priority, idempotent } = operation;
  return Object.freeze({
    pool: inner.name,
    kind,
    label,
    access,
    accessSaid,
    consistency,
    priority,
    idempotent,
    layers: inner.layers.map(({ name }) => name),
    outcome,
    tookMs,
    attempts: Math.max(1, ...passes.map(({ attempt }) => attempt)),
    nodes: notes.filter(({ what }) => what === SENT).map(({ details }) => String(details["node"])),
    times: timesOf(waits, tookMs),
    passes,
    waits,
    notes,
    dropped: trace.dropped,
  });
}

/** The note by which a router tells of the node that a call is sent to, with `node` among its details. */
export const SENT = "sent to a node";

function timesOf(waits: readonly TraceWait[], tookMs: number): CallRecord["times"] {
  const times: Partial<Record<WaitReason | "running", number>> = {};
  let waited = 0;
  for (const wait of waits) {
    times[wait.for] = (times[wait.for] ?? 0) + wait.tookMs;
    waited += wait.tookMs;
  }
  // The two goes of a hedged read may wait at the same time.
  times.running = Math.max(0, tookMs - waited);
  return times;
}

function tell(report: ExplainOptions["report"], record: CallRecord): void {
  try {
    report(record);
  } catch (error) {
    process.emitWarning(`the report of explain threw: ${told(error).name}`, { code: "BREAKWATER_LISTENER" });
  }
}

/** How the function that was explained ended, and the record of each call that it made, in the order of their ends. */
export type Explained<T> = PromiseSettledResult<T> & { readonly calls: readonly CallRecord[] };

/** Gives `run` a stack around `pool` that records calls, by the time of `clock`. Never rejects. */
export async function explained<T>(
  pool: Pool,
  clock: Clock,
  run: (recording: Pool) => Promise<T>,
): Promise<Explained<T>> {
  const calls: CallRecord[] = [];
  const recording = explain({ clock, report: (record) => calls.push(record) })(pool);
  try {
    return { status: "fulfilled", value: await run(recording), calls };
  } catch (reason) {
    return { status: "rejected", reason, calls };
  }
}
