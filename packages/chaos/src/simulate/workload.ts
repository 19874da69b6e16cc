/** What the callers of a simulation do, and how many of them there are. */
import type { Database, Random } from "@breakwater/core";
import { knownOptions, nonNegativeMs, OptionError, positiveInteger, positiveMs } from "@breakwater/core";
import type { CallKind } from "./calls.ts";
import { CALL_KINDS } from "./calls.ts";
import type { ProcessClock } from "./virtual-clock.ts";

/** One call of a workload of your own. */
export interface SimulatedCall {
  /** The stack of the call's process, in one of its sessions. */
  readonly database: Database;
  /** Virtual time, as the call's process reads it. */
  readonly clock: ProcessClock;
  /** Dice of this call alone: the same for the same seed. */
  readonly random: Random;
  /** Which call it is, from 0. */
  readonly index: number;
  /** Which process makes the call, from 0. */
  readonly process: number;
  /** Time limit of the call, in milliseconds. */
  readonly timeoutMs: number;
}

/** What the calls of a simulation do. */
export interface SimulationWorkload {
  /** Calls a second of all processes together, at random moments, whatever becomes of the calls before. @default 200 */
  readonly ratePerSecond?: number;
  /** Instead: so many callers in each process, each of which waits for its answer before its next call. */
  readonly callers?: number;
  /** How long a caller waits between two calls, in milliseconds. @default 100 */
  readonly thinkMs?: number;
  /** Sessions of each process; their reads see their own writes. @default 4 */
  readonly sessions?: number;
  /** Time limit of each call, in milliseconds. @default 5000 */
  readonly timeoutMs?: number;
  /** How often each kind of call is made, relative to the others. @default something of everything */
  readonly mix?: Partial<Readonly<Record<CallKind, number>>>;
  /** Makes the calls, in place of the mix. What it does is not recorded in a history: only that it settles is checked. */
  readonly call?: (call: SimulatedCall) => Promise<unknown>;
}

/** The options with their defaults. */
export interface CheckedWorkload {
  readonly ratePerSecond: number;
  readonly callers: number | undefined;
  readonly thinkMs: number;
  readonly sessions: number;
  readonly timeoutMs: number;
  readonly mix: readonly (readonly [CallKind, number])[];
  readonly call: SimulationWorkload["call"];
}

const OPTIONS = ["ratePerSecond", "callers", "thinkMs", "sessions", "timeoutMs", "mix", "call"] as const;

const MIX: Readonly<Record<CallKind, number>> = {
  get: 25,
  find: 12,
  insert: 12,
  "insert-once": 6,
  "insert-in-transaction": 10,
  "insert-and-fail": 2,
  set: 8,
  add: 5,
  count: 5,
  append: 6,
  list: 5,
};

/** @throws OptionError when an option is unknown or out of range. */
export function checkWorkload(options: SimulationWorkload): CheckedWorkload {
  const { ratePerSecond = 200, callers, mix = MIX, call } = knownOptions("simulate.workload", options, OPTIONS);
  const option = (name: string): string => `simulate.workload.${name}`;
  if (typeof ratePerSecond !== "number" || !(ratePerSecond > 0 && ratePerSecond <= 1e7)) {
    throw new OptionError(option("ratePerSecond"), ratePerSecond, "a number above 0, at most 10000000");
  }
  if (callers !== undefined) positiveInteger(option("callers"), callers);
  if (call !== undefined && typeof call !== "function") throw new OptionError(option("call"), call, "a function");
  knownOptions(option("mix"), mix, CALL_KINDS);
  const weights = CALL_KINDS.map((kind) => [kind, mix[kind] ?? 0] as const);
  for (const [kind, weight] of weights) {
    if (typeof weight !== "number" || !(weight >= 0))
      throw new OptionError(option(`mix.${kind}`), weight, "a number from 0");
  }
  if (weights.every(([, weight]) => weight === 0))
    throw new OptionError(option("mix"), mix, "at least one kind of call");
  return {
    ratePerSecond,
    callers,
    thinkMs: nonNegativeMs(option("thinkMs"), options.thinkMs ?? 100),
    sessions: positiveInteger(option("sessions"), options.sessions ?? 4),
    timeoutMs: positiveMs(option("timeoutMs"), options.timeoutMs ?? 5_000),
    mix: weights.filter(([, weight]) => weight > 0),
    call,
  };
}
