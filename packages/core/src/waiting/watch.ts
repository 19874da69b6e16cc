/**
 * One timer for many limits: it rings when the first of them is due, and every so often.
 */
import { type Clock, setLimit, type Timer } from "./clock.ts";

export class Watch {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #look: (now: number, overdueMs: number) => void;
  #timer: Timer | undefined;
  #at = Number.POSITIVE_INFINITY;

  /** `look` is told the time, and how much too late it is. */
  constructor(clock: Clock, everyMs: number, look: (now: number, overdueMs: number) => void) {
    this.#clock = clock;
    this.#everyMs = everyMs;
    this.#look = look;
  }

  /** Has it ring by then. */
  by(limit: number): void {
    if (limit >= this.#at && this.#timer !== undefined) return;
    const now = this.#clock.now();
    const at = Math.min(limit, now + this.#everyMs);
    this.#timer?.cancel();
    this.#at = at;
    this.#timer = setLimit(this.#clock, at - now, () => this.#ring());
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#at = Number.POSITIVE_INFINITY;
  }

  #ring(): void {
    const due = this.#at;
    this.#timer = undefined;
    this.#at = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    this.#look(now, now - due);
  }
}
