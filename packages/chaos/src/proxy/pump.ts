/** Carries bytes one way between two sockets: at once, or as late, slowly and in as small pieces as it is told. */
import type { Socket } from "node:net";
import { resetWhenWritten } from "./reset.ts";

/** Which way: from the client `toServer`, or back `toClient`. */
export type Direction = "toServer" | "toClient";

/**
 * What is carried: bytes; `end`, the sender has said its last; `reset`, the sender broke off; `close`, the sender is gone and
 * takes no answer any more. None overtakes another.
 */
export type Cargo = Buffer | "end" | "reset" | "close";

/** How one direction is. */
export interface Weather {
  readonly frozen: boolean;
  /** Delay of everything that arrives from now on, in milliseconds. */
  readonly latencyMs: number;
  /** Up to so much more, by the dice. */
  readonly jitterMs: number;
  /** The dice, from 0 up to 1. */
  readonly random: () => number;
  /** Most bytes in a second; Infinity: as many as there are. */
  readonly bytesPerSecond: number;
  /** Longest piece that is sent at once, in bytes; Infinity: as it came. */
  readonly sliceBytes: number;
  /** Delay of the end of a connection, in milliseconds. */
  readonly slowCloseMs: number;
}

export const calm: Weather = {
  frozen: false,
  latencyMs: 0,
  jitterMs: 0,
  random: Math.random,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  sliceBytes: Number.POSITIVE_INFINITY,
  slowCloseMs: 0,
};

/** Delayed bytes that are held in memory before the sender is made to wait. */
const mostHeld = 16 * 1024 * 1024;
/** The same where bytes leave slowly: the sender should notice. */
const mostHeldSlowly = 64 * 1024;
/** A piece of a limited stream is what may pass in this time, in milliseconds. */
const pieceMs = 20;

export class Pump {
  readonly #from: Socket;
  readonly #to: Socket;
  #weather: Weather = calm;
  /** Neither latency, nor a limit, nor slices: what comes can leave at once. */
  #clear = true;
  #queue: { due: number; cargo: Cargo }[] = [];
  #held = 0;
  #timer: { cancel: () => void } | undefined;
  /** Nothing that is pushed leaves before this moment. */
  #notBefore = 0;
  /** When the limit lets the next piece leave. */
  #paced = 0;
  #blocked = false;
  #stopped = false;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    to.on("drain", () => {
      this.#blocked = false;
      this.#schedule();
      this.#steer();
    });
  }

  /** Changes how it is from now on; what was delayed stays so. */
  set weather(weather: Weather) {
    if (this.#stopped) return;
    this.#weather = weather;
    const { latencyMs, jitterMs, bytesPerSecond, sliceBytes } = weather;
    this.#clear = latencyMs === 0 && jitterMs === 0 && bytesPerSecond === Infinity && sliceBytes === Infinity;
    this.#paced = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#schedule();
    this.#steer();
  }

  /** What is pushed from now on waits so many milliseconds. */
  delay(ms: number): void {
    this.#notBefore = Math.max(this.#notBefore, performance.now() + ms);
  }

  push(cargo: Cargo): void {
    if (this.#stopped) return;
    const { frozen, slowCloseMs } = this.#weather;
    const atOnce = this.#clear && !frozen && (typeof cargo !== "string" || slowCloseMs === 0);
    if (atOnce && this.#queue.length === 0 && (this.#notBefore === 0 || this.#notBefore <= performance.now())) {
      this.#deliver(cargo);
      return;
    }
    this.#queue.push({ due: this.#due(cargo), cargo });
    this.#held += sizeOf(cargo);
    this.#schedule();
    this.#steer();
  }

  /** Carries nothing any more; what is still sent is read and lost. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#queue = [];
    this.#held = 0;
    this.#blocked = false;
    this.#weather = calm;
    this.#steer();
  }

  #due(cargo: Cargo): number {
    const { latencyMs, jitterMs, random, slowCloseMs } = this.#weather;
    const jitter = jitterMs === 0 ? 0 : random() * jitterMs;
    const late = performance.now() + latencyMs + jitter + (typeof cargo === "string" ? slowCloseMs : 0);
    // Never before those in front, also when the latency was just made shorter.
    return Math.max(late, this.#notBefore, this.#queue.at(-1)?.due ?? 0);
  }

  #schedule(): void {
    const [first] = this.#queue;
    if (first === undefined || this.#weather.frozen || this.#timer !== undefined || this.#waits) return;
    const wait = Math.max(first.due, this.#paced) - performance.now();
    if (wait <= 0) {
      const turn = setImmediate(() => this.#release());
      this.#timer = { cancel: () => clearImmediate(turn) };
    } else {
      const timer = setTimeout(() => this.#release(), wait);
      this.#timer = { cancel: () => clearTimeout(timer) };
    }
  }

  /** Small pieces are not piled up in front of a receiver that takes none. */
  get #waits(): boolean {
    const { bytesPerSecond, sliceBytes } = this.#weather;
    return this.#blocked && (bytesPerSecond !== Infinity || sliceBytes !== Infinity);
  }

  #release(): void {
    this.#timer = undefined;
    // A timer may fire a fraction of a millisecond early.
    const now = performance.now() + 0.5;
    const piece = this.#pieceBytes();
    for (let first = this.#queue[0]; first !== undefined && first.due <= now; first = this.#queue[0]) {
      this.#deliver(this.#take(first, piece));
      // The receiver sees a piece for itself only when nothing follows in the same turn.
      if (piece !== Infinity) break;
    }
    this.#schedule();
    this.#steer();
  }

  /** Takes what may leave now from the front of the queue. */
  #take(first: { due: number; cargo: Cargo }, piece: number): Cargo {
    const { cargo } = first;
    if (typeof cargo === "string" || cargo.length <= piece) this.#queue.shift();
    else first.cargo = cargo.subarray(piece);
    const taken = typeof cargo === "string" ? cargo : cargo.subarray(0, piece);
    this.#held -= sizeOf(taken);
    // A timer that was late is made up for, an idle time is not.
    const from = Math.max(this.#paced, performance.now() - pieceMs);
    this.#paced = from + (sizeOf(taken) * 1000) / this.#weather.bytesPerSecond;
    return taken;
  }

  #pieceBytes(): number {
    const { bytesPerSecond, sliceBytes } = this.#weather;
    return Math.min(sliceBytes, Math.max(1, Math.ceil((bytesPerSecond * pieceMs) / 1000)));
  }

  #deliver(cargo: Cargo): void {
    if (this.#to.destroyed) return;
    if (cargo === "end") this.#to.end();
    else if (cargo === "reset") resetWhenWritten(this.#to);
    else if (cargo === "close") this.#to.destroySoon();
    else if (this.#to.writable && !this.#to.write(cargo)) {
      this.#blocked = true;
      this.#steer();
    }
  }

  /** Reads from the sender only while its bytes can go somewhere: what is not read, the system makes the sender hold. */
  #steer(): void {
    const { frozen, bytesPerSecond, sliceBytes } = this.#weather;
    const most = bytesPerSecond === Infinity && sliceBytes === Infinity ? mostHeld : mostHeldSlowly;
    if (frozen || this.#blocked || this.#held > most) this.#from.pause();
    else if (this.#from.isPaused()) this.#from.resume();
  }
}

function sizeOf(cargo: Cargo): number {
  return typeof cargo === "string" ? 0 : cargo.length;
}
