/** One fault of a script: what it is, when it was on, how often it struck, and how it is ended. */
import { integerIn } from "../check.ts";
import { defaultLimitMs, within } from "../wait.ts";

/** Where a fault strikes: in the stack, on the wire, or at the servers. */
export type FaultLevel = "policy" | "wire" | "cluster";

/** What is written down of a fault, for reports. */
export interface FaultRecord {
  /** Where it is injected. */
  readonly level: FaultLevel;
  /** What was done, by the name of the method that did it, such as `dropReply`. */
  readonly name: string;
  /** The node that it was done to, the pool or policy, or `cluster`. */
  readonly target: string;
  /** In milliseconds of the script's clock. A fault of servers begins when it is asked for. */
  readonly beganMs: number;
  /** Undefined while it is on. */
  readonly endedMs: number | undefined;
  /** Statements, calls or connections struck so far; 1 for what is done once. */
  readonly hits: number;
}

/** A fault that a script has switched on. */
export interface ActiveFault extends FaultRecord, AsyncDisposable {
  /** Resolves when it has struck `count` times in all. @throws ChaosError ERR_BREAKWATER_CHAOS_TIMEOUT */
  reached(count: number, limitMs?: number): Promise<void>;
  /**
   * Ends the fault; idempotent. On the wire and in the stack it has ended when this returns; servers take until it resolves.
   * What was struck already keeps its fate.
   */
  off(): Promise<void>;
}

/** What a level supplies for a fault. */
export interface FaultHand {
  /** How often it has struck. */
  readonly hits: number;
  /** Whether it is over by itself. @default it never is */
  readonly ended?: boolean;
  /** Calls `listener` after each strike and at the end. @returns what ends that. */
  watch?(listener: () => void): () => void;
  /** Ends it. Harmless when it has ended. */
  off(): void | Promise<void>;
}

export type FaultStart = Pick<FaultRecord, "level" | "name" | "target" | "beganMs">;

/** A fault as the script keeps it. */
export class ScriptFault implements ActiveFault {
  readonly level: FaultLevel;
  readonly name: string;
  readonly target: string;
  readonly beganMs: number;
  readonly #hand: FaultHand;
  readonly #now: () => number;
  readonly #ended: (fault: ScriptFault) => void;
  readonly #unwatch: (() => void) | undefined;
  #endedMs: number | undefined;
  #ending: Promise<void> | undefined;

  constructor(start: FaultStart, hand: FaultHand, now: () => number, ended: (fault: ScriptFault) => void) {
    this.level = start.level;
    this.name = start.name;
    this.target = start.target;
    this.beganMs = start.beganMs;
    this.#hand = hand;
    this.#now = now;
    this.#ended = ended;
    this.#unwatch = hand.watch?.(() => {
      if (hand.ended === true) this.#over();
    });
  }

  get hits(): number {
    return this.#hand.hits;
  }

  get endedMs(): number | undefined {
    return this.#endedMs;
  }

  async reached(count: number, limitMs: number = defaultLimitMs): Promise<void> {
    integerIn("count", count, 1, Number.MAX_SAFE_INTEGER);
    if (this.hits >= count) return;
    let stop: (() => void) | undefined;
    const done = new Promise<void>((resolve) => {
      stop = this.#hand.watch?.(() => {
        if (this.hits >= count) resolve();
      });
    });
    try {
      await within(`${count} strikes of ${this.name} at ${this.target}`, done, limitMs, () => `struck: ${this.hits}`);
    } finally {
      stop?.();
    }
  }

  off(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  /** Takes notice of an end that came before anybody listened. */
  settle(): void {
    if (this.#hand.ended === true) this.#over();
  }

  /** What reports are given: it does not change any more. */
  snapshot(): FaultRecord {
    const { level, name, target, beganMs, endedMs, hits } = this;
    return { level, name, target, beganMs, endedMs, hits };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.off();
  }

  async #end(): Promise<void> {
    try {
      await this.#hand.off();
    } finally {
      this.#over();
    }
  }

  #over(): void {
    if (this.#endedMs !== undefined) return;
    this.#endedMs = this.#now();
    this.#unwatch?.();
    this.#ended(this);
  }
}

/** Of what is done once and over: what it struck cannot be taken back. */
export function finished(hits: number): FaultHand {
  return { hits, ended: true, off: () => {} };
}
