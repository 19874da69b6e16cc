/**
 * What can be injected, into which calls, how often; and the checks.
 */
import {
  type Access,
  flag,
  knownOptions,
  nonNegativeMs,
  type Operation,
  oneOf,
  OptionError,
  type Phase,
  positiveInteger,
  text,
} from "@breakwater/core";

/** Which calls a fault may strike, and how often it does. All conditions must hold. */
export interface ChaosScope {
  /** Labels of the calls: one, or those that fit the pattern. @default any, and none */
  readonly label?: string | RegExp;
  /** @default both */
  readonly access?: Access;
  /** Names of the pools that the policy stands around: one, or those that fit the pattern. @default all */
  readonly node?: string | RegExp;
  /** @default all that the fault can strike */
  readonly kind?: Operation<unknown>["kind"];
  /** Whether probes are struck as well, so that the node looks ill to health checks. @default false */
  readonly probes?: boolean;
  /** Share of the calls that are struck, 0 to 1. @default 1 */
  readonly injectionRate?: number;
  /** Ends the fault after so many strikes; from 1. @default without end */
  readonly times?: number;
}

/** The call fails as though the server, the socket or the pool had said so. */
export interface ErrorFault extends ChaosScope {
  /** Which fault it is. */
  readonly fault: "error";
  /** What the server says, in five characters such as `40001`; else the connection breaks. */
  readonly sqlstate?: string;
  /**
   * When. Before `running` the call is not sent. `running`: it is not sent either, but fails as one under way. `committing`:
   * the transaction's function runs, then the transaction is rolled back; strikes transactions only.
   * @default "connect" for what servers say to those who connect (53300, 57P03, 3D000, class 28), else "running"
   */
  readonly phase?: Phase;
  /** @default "injected fault" */
  readonly message?: string;
  /** Makes the error that the driver is to have thrown, for databases other than PostgreSQL. @default one like those of `pg` */
  readonly make?: () => unknown;
}

/** The call waits before it is sent. */
export interface LatencyFault extends ChaosScope {
  /** Which fault it is. */
  readonly fault: "latency";
  /** How long, in milliseconds from 0; or from when to when, by the dice. Several faults add up. */
  readonly latencyMs: number | readonly [min: number, max: number];
}

/** The call is run, and when it has succeeded its answer is thrown away as though the connection had been lost. */
export interface LostReplyFault extends ChaosScope {
  /** Which fault it is. */
  readonly fault: "lost-reply";
  /** Queries and transactions have an answer; a session's statements have one each. @default both */
  readonly kind?: "query" | "transaction";
}

/** The call gets no connection in time. */
export interface RefusedFault extends ChaosScope {
  /** Which fault it is. */
  readonly fault: "refused-acquire";
}

/** One fault to inject. */
export type ChaosFaultOptions = ErrorFault | LatencyFault | LostReplyFault | RefusedFault;

/** What is injected. */
export type ChaosFaultKind = ChaosFaultOptions["fault"];

const SCOPE = ["fault", "label", "access", "node", "kind", "probes", "injectionRate", "times"] as const;
const KINDS = ["error", "latency", "lost-reply", "refused-acquire"] as const;
const PHASES = ["acquire", "connect", "unsent", "running", "committing"] as const;

/** SQLSTATEs that a server says to those who connect; besides, class 28 (invalid authorization). */
const SAID_TO_NEWCOMERS: ReadonlySet<string> = new Set(["53300", "57P03", "3D000"]);

/**
 * Checks what is to be injected. The answer does not change when the caller's object does.
 * @throws OptionError when an option is unknown or out of range.
 */
export function checkFault(options: ChaosFaultOptions): ChaosFaultOptions {
  knownOptions<Record<string, unknown>>("chaos.inject", { ...options }, [...SCOPE, ...ownOptions(options)]);
  checkScope(options);
  if (options.fault === "error") checkError(options);
  if (options.fault === "latency") checkLatency(options.latencyMs);
  return Object.freeze({ ...options });
}

/** The phase of an error, where it is not said. */
export function phaseOf({ phase, sqlstate }: ErrorFault): Phase {
  if (phase !== undefined) return phase;
  return sqlstate !== undefined && (SAID_TO_NEWCOMERS.has(sqlstate) || sqlstate.startsWith("28"))
    ? "connect"
    : "running";
}

function ownOptions(options: ChaosFaultOptions): readonly string[] {
  if (typeof options !== "object" || options === null) throw new OptionError("chaos.inject", options, "an object");
  const kind = oneOf("chaos.fault", options.fault, KINDS);
  if (kind === "error") return ["sqlstate", "phase", "message", "make"];
  return kind === "latency" ? ["latencyMs"] : [];
}

function checkScope({ fault, label, node, access, kind, probes, injectionRate, times }: ChaosFaultOptions): void {
  for (const [name, value] of [["label", label] as const, ["node", node] as const]) {
    if (value !== undefined && !(value instanceof RegExp)) text(`chaos.${name}`, value);
  }
  if (access !== undefined) oneOf("chaos.access", access, ["read", "write"]);
  const kinds =
    fault === "lost-reply" ? (["query", "transaction"] as const) : (["query", "transaction", "session"] as const);
  if (kind !== undefined) oneOf("chaos.kind", kind, kinds);
  if (probes !== undefined) flag("chaos.probes", probes);
  const isRate = typeof injectionRate === "number" && injectionRate >= 0 && injectionRate <= 1;
  if (injectionRate !== undefined && !isRate) {
    throw new OptionError("chaos.injectionRate", injectionRate, "a number from 0 to 1");
  }
  if (times !== undefined) positiveInteger("chaos.times", times);
}

function checkError({ sqlstate, phase, kind, message, make }: ErrorFault): void {
  if (sqlstate === undefined && phase === undefined && make === undefined) {
    throw new OptionError("chaos.sqlstate", sqlstate, "given, or a phase, or make: it says which error");
  }
  if (sqlstate !== undefined && !(typeof sqlstate === "string" && /^[0-9A-Z]{5}$/.test(sqlstate))) {
    throw new OptionError("chaos.sqlstate", sqlstate, "five characters from 0-9 and A-Z");
  }
  if (phase !== undefined) oneOf("chaos.phase", phase, PHASES);
  if (phase === "committing" && kind !== undefined && kind !== "transaction") {
    throw new OptionError("chaos.kind", kind, '"transaction", as nothing else commits');
  }
  if (message !== undefined) text("chaos.message", message);
  if (make !== undefined && typeof make !== "function") throw new OptionError("chaos.make", make, "a function");
}

function checkLatency(latencyMs: LatencyFault["latencyMs"]): void {
  if (!Array.isArray(latencyMs)) {
    nonNegativeMs("chaos.latencyMs", latencyMs);
    return;
  }
  const [min, max, ...more] = latencyMs as readonly unknown[];
  const [from, to] = [nonNegativeMs("chaos.latencyMs[0]", min), nonNegativeMs("chaos.latencyMs[1]", max)];
  if (more.length > 0 || to < from)
    throw new OptionError("chaos.latencyMs", latencyMs, "two numbers, the lesser first");
}
