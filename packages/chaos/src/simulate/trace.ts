/** What happened, line by line: the same seed gives the same lines, byte for byte. */
import { createHash, type Hash } from "node:crypto";

/** Lines that are put into the digest at once. */
const BATCH = 512;

export class Trace {
  readonly #hash: Hash = createHash("sha256");
  readonly #max: number;
  #lines: string[] = [];
  #batch: string[] = [];
  /** Lines that are not kept, the oldest ones; the digest has them. */
  dropped = 0;

  /** Keeps at most `max` lines, the last ones. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Notes a line under a time in milliseconds; it is written in microseconds. */
  line(atMs: number, what: string): void {
    const line = `${Math.round(atMs * 1_000)} ${what}`;
    this.#batch.push(line);
    if (this.#batch.length >= BATCH) this.#flush();
    if (this.#max === 0) {
      this.dropped += 1;
      return;
    }
    this.#lines.push(line);
    if (this.#lines.length >= 2 * this.#max) this.#shorten();
  }

  get lines(): readonly string[] {
    if (this.#lines.length > this.#max) this.#shorten();
    return this.#lines;
  }

  /** SHA-256 of all lines, those that were dropped included. */
  digest(): string {
    this.#flush();
    return this.#hash.copy().digest("hex");
  }

  #shorten(): void {
    const over = this.#lines.length - this.#max;
    this.dropped += over;
    this.#lines = this.#lines.slice(over);
  }

  #flush(): void {
    if (this.#batch.length > 0) this.#hash.update(`${this.#batch.join("\n")}\n`);
    this.#batch = [];
  }
}
