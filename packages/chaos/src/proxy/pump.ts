/** Carries bytes one way between two sockets, at once, late, or not until it is thawed. */
import type { Socket } from "node:net";

/** Which way: from the client `toServer`, or back `toClient`. */
export type Direction = "toServer" | "toClient";

/**
 * What is carried: bytes; `end`, the sender has said its last; `reset`, the sender broke off; `close`, the sender is gone and
 * takes no answer any more. None overtakes another.
 */
export type Cargo = Buffer | "end" | "reset" | "close";

/** Delayed bytes that are held in memory before the sender is made to wait. */
const mostHeld = 16 * 1024 * 1024;

export class Pump {
  readonly #from: Socket;
  readonly #to: Socket;
  #queue: { due: number; cargo: Cargo }[] = [];
  #held = 0;
  #timer: NodeJS.Timeout | undefined;
  #latencyMs = 0;
  #frozen = false;
  #blocked = false;
  #stopped = false;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    to.on("drain", () => {
      this.#blocked = false;
      this.#steer();
    });
  }

  /** For what is pushed from now on. */
  set latencyMs(value: number) {
    this.#latencyMs = value;
  }

  push(cargo: Cargo): void {
    if (this.#stopped) return;
    if (!this.#frozen && this.#latencyMs === 0 && this.#queue.length === 0) {
      this.#deliver(cargo);
      return;
    }
    // Never before those in front, also when the latency was just made shorter.
    const last = this.#queue.at(-1)?.due ?? 0;
    this.#queue.push({ due: Math.max(performance.now() + this.#latencyMs, last), cargo });
    this.#held += sizeOf(cargo);
    this.#schedule();
    this.#steer();
  }

  freeze(): void {
    this.#frozen = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#steer();
  }

  thaw(): void {
    this.#frozen = false;
    this.#schedule();
    this.#steer();
  }

  /** Carries nothing any more; what is still sent is read and lost. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#queue = [];
    this.#held = 0;
    this.#blocked = false;
    this.#frozen = false;
    this.#steer();
  }

  #schedule(): void {
    const [first] = this.#queue;
    if (first === undefined || this.#frozen || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#release(), Math.max(0, first.due - performance.now()));
  }

  #release(): void {
    this.#timer = undefined;
    // A timer may fire a fraction of a millisecond early.
    const now = performance.now() + 0.5;
    const left = this.#queue.findIndex((one) => one.due > now);
    for (const { cargo } of this.#queue.splice(0, left === -1 ? this.#queue.length : left)) {
      this.#held -= sizeOf(cargo);
      this.#deliver(cargo);
    }
    this.#schedule();
    this.#steer();
  }

  #deliver(cargo: Cargo): void {
    if (this.#to.destroyed) return;
    if (cargo === "end") this.#to.end();
    else if (cargo === "reset") this.#to.resetAndDestroy();
    else if (cargo === "close") this.#to.destroySoon();
    else if (this.#to.writable && !this.#to.write(cargo)) {
      this.#blocked = true;
      this.#steer();
    }
  }

  /** Reads from the sender only while its bytes can go somewhere: what is not read, the system makes the sender hold. */
  #steer(): void {
    if (this.#frozen || this.#blocked || this.#held > mostHeld) this.#from.pause();
    else if (this.#from.isPaused()) this.#from.resume();
  }
}

function sizeOf(cargo: Cargo): number {
  return typeof cargo === "string" ? 0 : cargo.length;
}
