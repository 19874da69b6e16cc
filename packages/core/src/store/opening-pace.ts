/**
 * How fast connections are opened: all at once while all goes well; after a failure one at a time, then two, four …, and
 * in the background only after a pause that grows. A server that comes back is not met by everybody at once.
 */
import type { Clock, Random, Timer } from "../waiting/clock.ts";

/** First and longest pause between attempts in the background, in milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

export class OpeningPace {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #resume: () => void;
  #max: number;
  #atOnce: number;
  #failures = 0;
  // Connections in a row that died before they had served anybody.
  #stillborn = 0;
  #pause: Timer | undefined;
  /** Why the last attempt failed; undefined when it did not. */
  trouble: unknown;

  constructor(max: number, clock: Clock, random: Random, resume: () => void) {
    this.#max = max;
    this.#atOnce = max;
    this.#clock = clock;
    this.#random = random;
    this.#resume = resume;
  }

  /** Whether one more may be opened while so many are being opened. Somebody who has no other hope does not wait for a pause. */
  allows(opening: number, urgent: boolean): boolean {
    return opening < this.#atOnce && (urgent || this.#pause === undefined);
  }

  resize(max: number): void {
    this.#atOnce = this.#failures === 0 ? max : Math.min(this.#atOnce, max);
    this.#max = max;
  }

  succeeded(): void {
    this.#failures = 0;
    this.trouble = undefined;
    // One more for each success: one, two, four … a round, as a TCP sender begins (RFC 5681, slow start).
    this.#atOnce = Math.min(this.#max, this.#atOnce + 1);
    if (this.#stillborn === 0) this.stop();
  }

  failed(error: unknown): void {
    this.#failures += 1;
    this.trouble = error;
    this.#slowDown();
  }

  /** A connection died; whether it had served anybody. One that had not is as good as one that could not be opened. */
  died(served: boolean): void {
    this.#stillborn = served ? 0 : this.#stillborn + 1;
    if (!served) this.#slowDown();
  }

  /** Ends the pause. */
  stop(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
  }

  #slowDown(): void {
    this.#atOnce = 1;
    if (this.#pause !== undefined) return;
    const times = Math.min(this.#failures + this.#stillborn - 1, 20);
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** times);
    const run = (): void => {
      this.#pause = undefined;
      this.#resume();
    };
    // Between half and all of it, so that many processes do not come at the same moment.
    this.#pause = this.#clock.setTimer(longest * (0.5 + this.#random() / 2), run, true);
  }
}
