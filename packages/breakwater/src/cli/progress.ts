/** What a run tells while it runs: a line that changes on a terminal, lines one below the other elsewhere. */
import type { RunProgress, RunRecord, StepProgress } from "@breakwater/chaos";

/** Violations that are told of one run; the record has all. */
const MAX_SHOWN = 10;
const MAX_LENGTH = 300;

export interface ProgressOptions {
  readonly out: NodeJS.WriteStream;
  readonly quiet: boolean;
}

export class Progress {
  readonly #out: NodeJS.WriteStream;
  readonly #quiet: boolean;
  readonly #isLive: boolean;
  #step = "";

  constructor({ out, quiet }: ProgressOptions) {
    this.#out = out;
    this.#quiet = quiet;
    this.#isLive = out.isTTY && !quiet;
  }

  begins(scenario: string, seed: number): void {
    this.#step = "starting the servers";
    if (!this.#quiet) this.line(`${scenario}, seed ${seed}`);
    this.#live("");
  }

  step(step: StepProgress): void {
    this.#step = step.text;
    if (step.status === "running" || this.#quiet) return;
    const error = "error" in step && step.error !== undefined ? `: ${firstLine(step.error)}` : "";
    const mark = step.status === "done" ? "·" : step.status;
    this.line(`  ${seconds(step.toMs)}  ${mark} ${step.text}${error}`);
  }

  stands({ elapsedMs, ok, failed, unknown, running }: RunProgress): void {
    this.#live(
      `${seconds(elapsedMs)}  ${ok} ok, ${failed} failed, ${unknown} unknown, ${running} running  ${this.#step}`,
    );
  }

  ended(record: RunRecord, replay: string): void {
    const { verdict, scenario, seed, subject, totals, durationMs, violations, violationCounts, problem } = record;
    if (verdict === "passed" && this.#quiet) return;
    const calls = `${totals.ok} calls ok, ${totals.failed} failed, ${totals.unknown} unknown`;
    const counts = Object.entries(violationCounts).map(([kind, count]) => `${count} × ${kind}`);
    const found = verdict === "violated" ? `: ${counts.join(", ")}` : "";
    this.line(
      `${verdict.toUpperCase()} ${scenario}, ${subject}, seed ${seed}, ${seconds(durationMs).trim()}, ${calls}${found}`,
    );
    if (problem !== null) this.line(`  ${problem}`);
    for (const { kind, message } of violations.slice(0, MAX_SHOWN)) {
      this.line(`  ${kind}: ${message.length > MAX_LENGTH ? `${message.slice(0, MAX_LENGTH)}…` : message}`);
    }
    if (violations.length > MAX_SHOWN) this.line(`  and ${violations.length - MAX_SHOWN} more`);
    if (verdict !== "passed") this.line(`  ${replay}`);
  }

  line(text: string): void {
    this.#clear();
    this.#out.write(`${text}\n`);
  }

  /** Leaves the last line clean. */
  #clear(): void {
    if (this.#isLive) this.#out.write("\r\u001B[K");
  }

  #live(text: string): void {
    if (!this.#isLive) return;
    this.#clear();
    this.#out.write(text.slice(0, Math.max(20, this.#out.columns - 1)));
  }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1).padStart(5)} s`;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
