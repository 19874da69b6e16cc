/**
 * What is written down of one call on its way, where somebody asked for that: `operation.trace`. Absent for all others,
 * so that a policy which tells more pays for one look at a property.
 */
import { type Clock, systemClock } from "../waiting/clock.ts";
import { type Failure, recordedFailure } from "../contract/failure.ts";

/** What a call can wait for. */
export type WaitReason =
  /** A permit of a limiter. */
  | "permit"
  /** A node that can serve it, or its turn at one that has just come back. */
  | "node"
  /** A replica that has what the session has seen. */
  | "freshness"
  /** A connection. */
  | "connection"
  /** The pause before the next attempt. */
  | "backoff"
  /** The outcome of a commit whose answer was lost. */
  | "outcome";

/** One thing that happened on the way. */
export interface TraceNote {
  /** When, in milliseconds from the call's beginning. */
  readonly atMs: number;
  /** The policy, or `connection`. */
  readonly layer: string;
  /** What was decided or went wrong, in a few words. */
  readonly what: string;
  /** Values by name, plain as JSON; never parameters of a statement. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** One way of a call through one layer; a call that is retried passes those further in several times. */
export interface TracePass {
  /** Name of the layer that it went through. */
  readonly layer: string;
  /** Name of the pool that the layer stands around. */
  readonly pool: string;
  /** Which attempt it was, from 1. */
  readonly attempt: number;
  /** When it began, in milliseconds since the call began. */
  readonly atMs: number;
  /** Undefined when it was still under way as the call ended. */
  readonly tookMs: number | undefined;
  /** What it failed with; undefined when it did not. */
  readonly failed: string | undefined;
}

/** One wait. */
export interface TraceWait {
  /** Name of the layer that waited. */
  readonly layer: string;
  /** What it waited for. */
  readonly for: WaitReason;
  /** When it began, in milliseconds since the call began. */
  readonly atMs: number;
  /** How long it took, in milliseconds. */
  readonly tookMs: number;
}

/** What is kept of a call that goes on and on. */
const MOST = 1_000;

/** One that is under way. */
type Pass = { -readonly [Key in keyof TracePass]: TracePass[Key] };

/** Where it is written down what becomes of one call: an operation brings it along, and whoever decides something notes it. */
export interface CallTrace {
  /** Whether what goes without saying, or costs more than a note to find out, is wanted too. */
  readonly detailed: boolean;
  /** Something was decided, or went wrong. Details are plain as JSON, and never a parameter of a statement. */
  note(layer: string, what: string, details?: TraceNote["details"]): void;
  /** A wait begins; the returned function ends it. */
  wait(layer: string, reason: WaitReason): () => void;
  /** Runs the call on its way through a layer. */
  through<T>(layer: string, pool: string, attempt: number, run: () => Promise<T>): Promise<T>;
}

/** Keeps all that is written down of one call. */
export class RecordingTrace implements CallTrace {
  readonly detailed = true;
  /** When the call began, in milliseconds of the clock. */
  readonly startedMs: number;
  readonly #clock: Clock;
  readonly #notes: TraceNote[] = [];
  readonly #passes: Pass[] = [];
  readonly #waits: TraceWait[] = [];
  /** What was not kept any more. */
  dropped = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.startedMs = clock.now();
  }

  /** Milliseconds since the call's beginning. */
  now(): number {
    return this.#clock.now() - this.startedMs;
  }

  note(layer: string, what: string, details: TraceNote["details"] = {}): void {
    this.#keep(this.#notes, { atMs: this.now(), layer, what, details });
  }

  wait(layer: string, reason: WaitReason): () => void {
    const atMs = this.now();
    return () => this.#keep(this.#waits, { layer, for: reason, atMs, tookMs: this.now() - atMs });
  }

  through<T>(layer: string, pool: string, attempt: number, run: () => Promise<T>): Promise<T> {
    const atMs = this.now();
    const pass: Pass = { layer, pool, attempt, atMs, tookMs: undefined, failed: undefined };
    this.#keep(this.#passes, pass);
    const ended = (failed: string | undefined): void => {
      pass.tookMs = this.now() - atMs;
      pass.failed = failed;
    };
    let going: Promise<T>;
    try {
      going = run();
    } catch (error) {
      ended(told(error).reason);
      throw error;
    }
    return going.then(
      (value) => {
        ended(undefined);
        return value;
      },
      (error: unknown) => {
        ended(told(error).reason);
        throw error;
      },
    );
  }

  /** What there is at this moment; it does not change any more. */
  snapshot(): {
    readonly notes: readonly TraceNote[];
    readonly passes: readonly TracePass[];
    readonly waits: readonly TraceWait[];
  } {
    const passes = this.#passes.map((pass) => Object.freeze({ ...pass }));
    return { notes: Object.freeze([...this.#notes]), passes: Object.freeze(passes), waits: [...this.#waits] };
  }

  #keep<Entry>(entries: Entry[], entry: Entry): void {
    if (entries.length < MOST) entries.push(entry);
    else this.dropped += 1;
  }
}

/** What may be said of an error: its name and code and what it means, never its message, which may hold a parameter. */
export interface ToldError {
  /** The error's `name`; of what is no error, its type. */
  readonly name: string;
  /** Its `sqlState` or `code`; undefined when it has none, or one that is longer than 64 characters. */
  readonly code: string | undefined;
  /** Why, in plain words of the failure table. */
  readonly reason: string;
  /** What it means; undefined where that is not known. */
  readonly failure: Failure | undefined;
}

/** What may be said of an error. */
export function told(error: unknown): ToldError {
  const { name, code, sqlState } = (typeof error === "object" && error !== null ? error : {}) as Record<
    string,
    unknown
  >;
  const failure = recordedFailure(error);
  const shown = typeof sqlState === "string" ? sqlState : code;
  return {
    name: typeof name === "string" ? name : typeof error,
    code: typeof shown === "string" && shown.length <= 64 ? shown : undefined,
    reason: failure?.reason ?? "not of the database",
    failure,
  };
}
