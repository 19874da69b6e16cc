/**
 * Cuts what arrives into messages, and knows at every moment whether a message is half read. Every message begins with a
 * letter and its length, which counts itself (PostgreSQL documentation, 54.7).
 */

import { checkFields, endless, Fields, hasFields, HEADER } from "./fields.ts";

/** More than the server ever sends in one message, in bytes (PostgreSQL's MaxAllocSize): what says so is no server. */
const TOO_LONG = 0x3fff_ffff;

/** Where messages go. */
export interface FrameTargets {
  /** For others, as it came. */
  pass(bytes: Buffer): void;
  /** A whole message, from `at` to before `next`. */
  taken(bytes: Buffer, at: number, next: number): void;
  /** Others had the server forget what was prepared. */
  forgotten(): void;
}

export class Frames {
  readonly #targets: FrameTargets;
  #taking = false;
  // While others read: how much of a message is still to come, and what has come of a beginning.
  #missing = 0;
  #fields: Fields | undefined;
  readonly #header = Buffer.alloc(HEADER);
  #headerLength = 0;
  // While we read: a message that has not come whole, in pieces, and how long it must become.
  #pieces: Buffer[] = [];
  #length = 0;
  #needed = 0;
  // What has come lies in memory that will be read into again: whoever keeps some of it needs a copy.
  #lent = false;

  constructor(targets: FrameTargets) {
    this.#targets = targets;
  }

  /** Whether no message is half read by others. */
  get clean(): boolean {
    return this.#missing === 0 && this.#headerLength === 0;
  }

  /** Messages are ours from here on. */
  take(): void {
    this.#taking = true;
  }

  /** Messages are others' from here on. */
  leave(): void {
    this.#taking = false;
  }

  /** Hands one whole message to others. */
  pass(bytes: Buffer): void {
    this.#targets.pass(this.#kept(checkFields(bytes)));
  }

  /**
   * Something has come: the first `length` bytes of a chunk; `lent` when they are gone afterwards.
   * @throws Error in the words of `pg` when it cannot be messages. Nobody has read it then.
   */
  arrived(chunk: Buffer, length: number, lent: boolean): void {
    this.#lent = lent;
    if (!this.#taking && this.#length === 0) this.#passOn(chunk.subarray(0, length));
    else if (this.#length === 0) this.#cut(chunk, length);
    else this.#complete(chunk.subarray(0, length));
  }

  #complete(chunk: Buffer): void {
    this.#pieces.push(this.#kept(chunk));
    this.#length += chunk.length;
    if (this.#length < this.#needed) return;
    const whole = Buffer.concat(this.#pieces, this.#length);
    this.#pieces = [];
    this.#length = 0;
    this.#lent = false;
    this.#cut(whole, whole.length);
  }

  #cut(bytes: Buffer, end: number): void {
    let at = 0;
    while (at < end) {
      if (!this.#taking) {
        this.#passOn(bytes.subarray(at, end));
        return;
      }
      if (end - at < HEADER) {
        this.#keep(bytes.subarray(at, end), HEADER);
        return;
      }
      const length = lengthAt(bytes, at + 1);
      const next = at + 1 + length;
      if (next > end) {
        this.#keep(bytes.subarray(at, end), 1 + length);
        return;
      }
      this.#targets.taken(bytes, at, next);
      at = next;
    }
  }

  #keep(piece: Buffer, needed: number): void {
    this.#pieces.push(this.#kept(piece));
    this.#length = piece.length;
    this.#needed = needed;
  }

  #passOn(bytes: Buffer): void {
    // Before anybody reads it: who reads may send something.
    this.#follow(bytes);
    this.#targets.pass(this.#kept(bytes));
  }

  #kept(bytes: Buffer): Buffer {
    return this.#lent ? Buffer.from(bytes) : bytes;
  }

  /** Follows where messages end, without reading them. */
  #follow(bytes: Buffer): void {
    const end = bytes.length;
    let at = this.#followBody(bytes, 0);
    while (at < end) {
      let header = bytes;
      let from = at;
      if (this.#headerLength > 0 || end - at < HEADER) {
        const wanted = Math.min(HEADER - this.#headerLength, end - at);
        bytes.copy(this.#header, this.#headerLength, at, at + wanted);
        this.#headerLength += wanted;
        at += wanted;
        if (this.#headerLength < HEADER) return;
        this.#headerLength = 0;
        header = this.#header;
        from = 0;
      } else at += HEADER;
      this.#missing = lengthAt(header, from + 1) - 4;
      if (header[from] === 0x43 && forgets(bytes, at)) this.#targets.forgotten();
      if (hasFields(header[from])) this.#fields = new Fields();
      at = this.#followBody(bytes, at);
    }
  }

  /** Goes to the end of a message, or of what has come of it. Returns where that is. */
  #followBody(bytes: Buffer, at: number): number {
    const next = at + Math.min(this.#missing, bytes.length - at);
    this.#missing -= next - at;
    const fields = this.#fields;
    if (fields === undefined) return next;
    fields.follow(bytes, at, next);
    if (this.#missing > 0) return next;
    this.#fields = undefined;
    if (!fields.ended) throw endless();
    return next;
  }
}

/** Length of a message, in four bytes, the first one the highest. @throws Error when no message has it. */
function lengthAt(bytes: Buffer, at: number): number {
  const length = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  if (length < 4 || length > TOO_LONG) throw new Error(`received invalid response: a message of ${length} bytes`);
  return length;
}

/** Whether a command's tag is DEALLOCATE or DISCARD, or may be: what is not there to be read is taken for it. */
function forgets(bytes: Buffer, at: number): boolean {
  if (at + 2 >= bytes.length) return true;
  // "DE" of DEALLOCATE with "A", not DELETE or DECLARE; "DIS" of DISCARD.
  return bytes[at] === 0x44 && (bytes[at + 2] === 0x41 || bytes[at + 2] === 0x53);
}
