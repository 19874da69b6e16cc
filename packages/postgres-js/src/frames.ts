/**
 * Cuts what passes over a link into messages of PostgreSQL's protocol (version 3, documentation 54.2), without keeping
 * more of them than is asked for.
 */

const HEAD = 5;
const NOTHING: Buffer = Buffer.alloc(0);

/** Hears of each message when its last byte has passed; `body` is empty for types that are not kept. */
export type FrameListener = (type: number, body: Buffer) => void;

export class Frames {
  readonly #kept: ReadonlySet<number>;
  readonly #listener: FrameListener;
  readonly #head: Buffer = Buffer.alloc(HEAD);
  #headLength: number;
  // Bytes of the present message that are still to come; below zero between two messages.
  #left = -1;
  #body: Buffer[] | undefined;

  /** `untyped`: the first message is a client's first, which has no type. */
  constructor(kept: ReadonlySet<number>, listener: FrameListener, untyped = false) {
    this.#kept = kept;
    this.#listener = listener;
    this.#headLength = untyped ? 1 : 0;
  }

  take(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      at += this.#left < 0 ? this.#takeHead(chunk, at) : this.#takeBody(chunk, at);
      if (this.#left === 0) this.#ended();
    }
  }

  #takeHead(chunk: Buffer, at: number): number {
    const taken = Math.min(HEAD - this.#headLength, chunk.length - at);
    chunk.copy(this.#head, this.#headLength, at, at + taken);
    this.#headLength += taken;
    if (this.#headLength === HEAD) {
      // The length counts itself.
      this.#left = Math.max(0, this.#head.readUInt32BE(1) - 4);
      this.#body = this.#kept.has(this.#head[0]!) ? [] : undefined;
    }
    return taken;
  }

  #takeBody(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#left, chunk.length - at);
    this.#body?.push(chunk.subarray(at, at + taken));
    this.#left -= taken;
    return taken;
  }

  #ended(): void {
    const body = this.#body === undefined || this.#body.length === 0 ? NOTHING : Buffer.concat(this.#body);
    this.#left = -1;
    this.#headLength = 0;
    this.#body = undefined;
    this.#listener(this.#head[0]!, body);
  }
}
