/** Cuts a byte stream into the protocol's typed messages, wherever the chunks end, without copying what just passes. */

/** What happens to a message: it passes, it is dropped, or others go in its place. */
export type Verdict = "pass" | "drop" | Buffer;

/** Of a message, at most so many bytes are looked at; longer ones are judged by their beginning. */
const largestLook = 64 * 1024;
const headerSize = 5;

export interface FrameVisitor {
  /** How many bytes after the header `visit` needs; Infinity: as many as there are, up to 64 KiB. */
  look(type: number): number;
  /** Decides on one message. `bytes` begins with the header and holds at least what `look` asked for. */
  visit(type: number, bytes: Buffer): Verdict;
  /** How long the message, and all behind it, is held back, in milliseconds; asked once for each message. */
  delay(type: number): number;
  /** What is emitted from now on leaves so many milliseconds later. */
  hold(ms: number): void;
  /** Passes bytes on. */
  emit(bytes: Buffer): void;
}

export class FrameWalker {
  readonly #visitor: FrameVisitor;
  /** Bytes of the present message that are still to come and share its verdict. */
  #rest = 0;
  #passRest = true;
  /** Beginning of a message that cannot be judged yet; nothing of it has been passed on. */
  #held: Buffer[] = [];
  #heldSize = 0;
  /** Held bytes are looked at again only when there are so many: a large message in small chunks is joined once. */
  #enough = headerSize;

  constructor(visitor: FrameVisitor) {
    this.#visitor = visitor;
  }

  /** Whether a message has begun that is not complete. */
  get inMessage(): boolean {
    return this.#rest > 0 || this.#heldSize > 0;
  }

  /** Whether something else could be put in here: nothing of the next message has been passed on. */
  get betweenMessages(): boolean {
    return this.#rest === 0;
  }

  feed(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#heldSize > 0) {
      this.#held.push(chunk);
      this.#heldSize += chunk.length;
      if (this.#heldSize < this.#enough) return;
      bytes = Buffer.concat(this.#held);
      this.#held = [];
      this.#heldSize = 0;
    }
    this.#walk(bytes);
  }

  #walk(bytes: Buffer): void {
    /** Start of what passes and has not been passed on yet: neighbours leave together. */
    let from = 0;
    let at = 0;
    const release = (to: number): void => {
      if (to > from) this.#visitor.emit(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
    };
    while (at < bytes.length) {
      if (this.#rest > 0) {
        const size = Math.min(this.#rest, bytes.length - at);
        if (!this.#passRest) {
          release(at);
          from = at + size;
        }
        this.#rest -= size;
        at += size;
        continue;
      }
      const left = bytes.length - at;
      const type = bytes[at] ?? 0;
      const total = left < headerSize ? headerSize : 1 + bytes.readUInt32BE(at + 1);
      const needed =
        left < headerSize ? headerSize : Math.min(total, headerSize + Math.min(this.#visitor.look(type), largestLook));
      if (left < needed) {
        release(at);
        this.#held = [bytes.subarray(at)];
        this.#heldSize = left;
        this.#enough = needed;
        return;
      }
      const delayMs = this.#visitor.delay(type);
      if (delayMs > 0) {
        release(at);
        from = at;
        this.#visitor.hold(delayMs);
      }
      const verdict = this.#visitor.visit(type, bytes.subarray(at, at + Math.min(total, left)));
      this.#rest = total;
      this.#passRest = verdict === "pass";
      if (verdict instanceof Buffer) {
        release(at);
        from = at;
        this.#visitor.emit(verdict);
      }
    }
    release(at);
  }
}
