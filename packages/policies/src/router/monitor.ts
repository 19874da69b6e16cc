/**
 * Asks one node, again and again, how it is. Every probe has a limit, and one answer is enough to be up.
 */
import {
  type Clock,
  failureOf,
  type NodeState,
  operationContext,
  type Pool,
  type Random,
  type Timer,
} from "@breakwater/core";
import type { RouterLimits } from "./options.ts";

/** What a probe found. */
export type Finding =
  | { readonly kind: "answered"; readonly state: NodeState }
  /** The server answered, but with a refusal that says nothing against the node: a wrong password, too many connections. */
  | { readonly kind: "refused"; readonly error: unknown }
  /** Nobody listens, or the server said that it cannot serve. */
  | { readonly kind: "unreachable"; readonly error: unknown }
  /** No answer in time. */
  | { readonly kind: "silent"; readonly error: unknown };

export interface MonitorOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: RouterLimits;
  /** How long from one probe to the next, in milliseconds, as things stand. */
  readonly pauseMs: () => number;
  /** The same, for a probe that a failed call asks for. */
  readonly urgentPauseMs: () => number;
  readonly onFinding: (finding: Finding) => void;
  /** An answer takes longer than answers take. */
  readonly onLate: () => void;
  /** It takes so long that it will hardly come. */
  readonly onStuck: () => void;
}

/** A share by which each pause differs, so that many processes do not probe in step. */
const SPREAD = 0.1;
/** The share of the longest wait after which an answer is late. */
const LATE = 0.1;
/** The share after which it is stuck. Both are reached in steps, so that a pause of our own is no lateness of theirs. */
const STUCK = 0.3;

export class Monitor {
  readonly #pool: Pool;
  readonly #options: MonitorOptions;
  #timer: Timer | undefined;
  // Ends the timer of the probe that runs.
  #late: (() => void) | undefined;
  #lastStart = Number.NEGATIVE_INFINITY;
  #probing = false;
  #again = false;
  #stopped = false;

  constructor(pool: Pool, options: MonitorOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  /** Probes as soon as its turn has come; `urgent` when a call has failed, and the next turn is too far off. */
  probe(urgent = false): void {
    if (this.#stopped) return;
    if (this.#probing) {
      this.#again ||= urgent;
      return;
    }
    const { clock, pauseMs, urgentPauseMs, random } = this.#options;
    const pause = urgent ? Math.min(urgentPauseMs(), pauseMs()) : pauseMs() * (1 - SPREAD * random());
    const waitMs = Math.max(0, this.#lastStart + pause - clock.now());
    this.#timer?.cancel();
    this.#timer = clock.setTimer(waitMs, () => void this.#run(), true);
  }

  /** A call has just tried to connect: that was a probe as good as any. */
  tried(): void {
    this.#lastStart = this.#options.clock.now();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#late?.();
  }

  async #run(): Promise<void> {
    const { clock, onFinding } = this.#options;
    this.#probing = true;
    this.#again = false;
    this.#lastStart = clock.now();
    const { onLate, onStuck } = this.#options;
    const { probeTimeoutMs } = this.#options.limits;
    let timer = clock.setTimer(
      probeTimeoutMs * LATE,
      () => {
        timer = clock.setTimer(probeTimeoutMs * (STUCK - LATE), onStuck, true);
        onLate();
      },
      true,
    );
    this.#late = () => timer.cancel();
    const finding = await this.#ask();
    timer.cancel();
    this.#probing = false;
    if (this.#stopped) return;
    onFinding(finding);
    this.probe(this.#again);
  }

  async #ask(): Promise<Finding> {
    const { clock } = this.#options;
    const { probeTimeoutMs } = this.#options.limits;
    try {
      const state = await this.#pool.execute<NodeState>({
        ...operationContext("read"),
        kind: "session",
        purpose: "probe",
        deadline: clock.now() + probeTimeoutMs,
        run: (connection) => this.#pool.dialect.probe(connection),
      });
      return { kind: "answered", state };
    } catch (error) {
      const { blames, phase } = failureOf(error);
      if ((error as { code?: unknown } | null)?.code === "ERR_BREAKWATER_TIMEOUT") return { kind: "silent", error };
      return { kind: blames === "node" && phase !== "acquire" ? "unreachable" : "refused", error };
    }
  }
}
