/**
 * Lets calls back to a node a few at a time: 1, 2, 4 …, so that a server that has just come back is not met by everybody
 * at once, each with a new connection.
 */
import { bounded, type Clock, Permits, type Timer, type WaitLimits } from "@breakwater/core";

/** Longest until every call is let through, in milliseconds, however slow the first ones are. */
const FULL_SPEED_MS = 1_000;

/** The gate before one node, while it is being tried. */
export class SlowStart {
  readonly #clock: Clock;
  readonly #permits = new Permits(0);
  readonly #max: number;
  readonly #opened: () => void;
  #limit = 0;
  #timer: Timer | undefined;
  #over = false;

  /** `max` is where it is full speed; `opened` is called when that is reached. Nobody gets through before `begin`. */
  constructor(clock: Clock, max: number, opened: () => void) {
    this.#clock = clock;
    this.#max = max;
    this.#opened = opened;
  }

  /** Whether anybody may go through yet. */
  get begun(): boolean {
    return this.#limit > 0;
  }

  get waiting(): number {
    return this.#permits.waiting;
  }

  /** Whether a call would get through without a wait. */
  get free(): boolean {
    return this.#permits.taken < this.#permits.max && this.#permits.waiting === 0;
  }

  /** The node has answered: the first call may go. */
  begin(): void {
    if (this.#limit > 0 || this.#over) return;
    const steps = Math.ceil(Math.log2(Math.max(2, this.#max))) + 1;
    const step = (): void => {
      this.#timer = this.#clock.setTimer(FULL_SPEED_MS / steps, step, true);
      this.#raise(Math.max(1, this.#limit * 2));
    };
    step();
  }

  /** Waits for a turn. False when the node is out of reach after all: then another has to be chosen. */
  async enter(limits: WaitLimits): Promise<boolean> {
    if (this.#over || this.#permits.tryTake()) return true;
    let left = (): void => undefined;
    const turn = new Promise<boolean>((resolve) => {
      left = this.#permits.wait(
        () => resolve(true),
        () => resolve(false),
      );
    });
    return bounded(turn, limits, { left, late: (entered) => entered && this.#permits.release() });
  }

  /** A call that had entered has ended; `well` when its node answered. */
  leave(well: boolean): void {
    this.#permits.release();
    // One more for each that went well doubles it each round, as TCP begins.
    if (well && this.#limit > 0) this.#raise(this.#limit + 1);
  }

  /** The node is well beyond doubt: everybody may go. */
  open(): void {
    if (this.#end()) this.#permits.resize(Number.MAX_SAFE_INTEGER);
  }

  /** The node is down: those who wait go elsewhere. */
  close(): void {
    if (this.#end()) this.#permits.refuseAll(undefined);
  }

  #raise(limit: number): void {
    if (this.#over) return;
    this.#limit = limit;
    if (this.#limit < this.#max) this.#permits.resize(this.#limit);
    else this.open();
  }

  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#timer?.cancel();
    this.#opened();
    return true;
  }
}
