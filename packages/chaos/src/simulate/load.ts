/** Makes the calls of a workload, and judges the history of them window by window. */
import type { Database } from "@breakwater/core";
import { classifyError, describeError } from "../history/classify.ts";
import { makeCall } from "./calls.ts";
import { below, dice, exponential, weighted } from "./dice.ts";
import type { Process } from "./process.ts";
import type { Run } from "./run.ts";
import { Window } from "./window.ts";

/** Calls of one window. */
const WINDOW = 4_000;
/** Pause between calls after the faults, until all is settled, in milliseconds. */
const TRICKLE_MS = 200;
/** How long after its last call a window is judged at the earliest, in milliseconds. */
const GRACE_MS = 10_000;

interface Session {
  readonly name: string;
  readonly process: Process;
  readonly database: Database;
}

/** How a call was answered. */
export interface Answered {
  readonly outcome: "ok" | "fail" | "unknown";
  readonly error: unknown;
}

export class Load {
  readonly #run: Run;
  readonly #sessions: readonly Session[];
  readonly #seed: number;
  #window: Window;
  #windows = 0;
  readonly #closed: { readonly window: Window; readonly sinceMs: number }[] = [];
  /** Calls that were chosen by their numbers, as they were made. */
  readonly chosen: string[] = [];
  /** Calls that have not been answered. */
  readonly pending: Map<number, string> = new Map();

  constructor(run: Run) {
    this.#run = run;
    this.#seed = run.plan.seed;
    this.#window = new Window(this.#windows++, run.clock);
    this.#sessions = run.processes.flatMap((process) =>
      Array.from({ length: run.plan.workload.sessions }, (_, index) => ({
        name: `p${process.index}s${index}`,
        process,
        database: process.database.session(),
      })),
    );
  }

  /** All calls of the plan, and then a few until the faults are over and everything had time to settle. */
  async run(): Promise<void> {
    const { plan, faultsEndMs, clock } = this.#run;
    await (plan.workload.callers === undefined ? this.#open() : this.#closedLoop(plan.workload.callers));
    if (plan.faults.length === 0) return;
    await this.#run.wait(faultsEndMs - clock.now());
    let index = plan.calls;
    while (clock.now() < faultsEndMs + plan.settleMs) {
      await this.#run.wait(TRICKLE_MS);
      void this.start(index++);
    }
  }

  /** Judges what is left. */
  judge(): void {
    this.#close();
    for (const { window } of this.#closed.splice(0)) this.#judge(window);
  }

  /** Begins a call of some session; resolves when it is answered. */
  async start(index: number): Promise<Answered> {
    // Each call has dice of its own: to leave some out changes nothing about the others.
    const random = dice(this.#seed, `call ${index}`);
    const session = this.#sessions[below(random, this.#sessions.length)] as Session;
    const { plan } = this.#run;
    const { timeoutMs, mix, call } = plan.workload;
    const { process, database } = session;
    if (call !== undefined) {
      const { clock } = process;
      return this.#answer(index, `${session.name} call`, () =>
        call({ database, clock, random, index, process: process.index, timeoutMs }),
      );
    }
    const kind = weighted(random, mix);
    const window = this.#windowOf();
    window.pending += 1;
    const answered = await this.#answer(index, `${session.name} ${kind}`, () =>
      makeCall(kind, {
        database,
        history: window.history.session(session.name),
        random,
        prefix: window.prefix,
        id: `${window.prefix}${index}`,
        rows: window.rows,
        options: { timeoutMs },
      }),
    );
    window.pending -= 1;
    return answered;
  }

  /** Runs one call with everything that is counted about it. */
  async #answer(index: number, what: string, call: () => Promise<unknown>): Promise<Answered> {
    const { clock, series, plan } = this.#run;
    const startedMs = clock.now();
    series.count(startedMs, "offered");
    this.pending.set(index, what);
    if (plan.only?.has(index) === true) this.chosen.push(`#${index} ${what} at ${Math.round(startedMs)} ms`);
    let answered: Answered = { outcome: "ok", error: undefined };
    try {
      await call();
    } catch (error) {
      answered = { outcome: classifyError(error), error };
    }
    this.pending.delete(index);
    const tookMs = clock.now() - startedMs;
    const { outcome } = answered;
    if (outcome === "ok") series.answered(clock.now(), tookMs);
    else series.count(clock.now(), outcome === "fail" ? "failed" : "unknown");
    const told = outcome === "ok" ? "" : ` ${codeOf(answered.error)}`;
    this.#run.note(`#${index} ${what} ${outcome} ${Math.round(tookMs * 1_000)}${told}`);
    const { timeoutMs } = plan.workload;
    if (tookMs > timeoutMs + plan.deadlineGraceMs && this.#run.checks("deadlines")) {
      const late = `${Math.round(tookMs)} ms after it began, its limit was ${timeoutMs} ms`;
      this.#run.violate("deadline-missed", `call #${index} (${what}) was answered ${late}`);
    }
    return answered;
  }

  async #open(): Promise<void> {
    const { plan } = this.#run;
    const random = dice(plan.seed, "arrivals");
    const meanMs = 1_000 / plan.workload.ratePerSecond;
    for (let made = 0; made < plan.calls; made += 1) {
      await this.#run.wait(exponential(random, meanMs) / this.#run.surge);
      if (plan.only?.has(made) !== false) void this.start(made);
    }
  }

  async #closedLoop(callers: number): Promise<void> {
    const { plan } = this.#run;
    const random = dice(plan.seed, "arrivals");
    const { thinkMs } = plan.workload;
    let left = plan.calls;
    const caller = async (): Promise<void> => {
      await this.#run.wait(random() * thinkMs);
      while (left > 0) {
        const index = plan.calls - left--;
        if (plan.only?.has(index) !== false) await this.#run.patiently(this.start(index));
        await this.#run.wait(exponential(random, thinkMs) / this.#run.surge);
      }
    };
    await Promise.all(Array.from({ length: callers * plan.processes }, caller));
  }

  #windowOf(): Window {
    if (this.#window.begun >= WINDOW) this.#close();
    this.#window.begun += 1;
    return this.#window;
  }

  #close(): void {
    const nowMs = this.#run.clock.now();
    this.#closed.push({ window: this.#window, sinceMs: nowMs });
    this.#window = new Window(this.#windows++, this.#run.clock);
    for (let [oldest] = this.#closed; oldest !== undefined; [oldest] = this.#closed) {
      if (oldest.window.pending > 0 || nowMs < oldest.sinceMs + GRACE_MS) break;
      this.#closed.shift();
      this.#judge(oldest.window);
    }
  }

  #judge(window: Window): void {
    if (window.history.operations.length === 0) return;
    for (const { kind, message } of window.judge(this.#run.cluster)) {
      const settled = kind === "unsettled";
      if (this.#run.checks(settled ? "settled" : "history")) this.#run.violate(kind, message);
    }
  }
}

/** What an error is called. */
export function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : describeError(error).slice(0, 80);
}
