/**
 * Messages on their way to a server, as bytes: written one behind the other, and sent in one piece.
 *
 * Written after the PostgreSQL documentation, 54.7, message formats.
 */
import { prepareValue } from "./driver-parts.ts";

const PARSE = 0x50;
const BIND = 0x42;
const CLOSE = 0x43;
const STATEMENT = 0x53;
const QUERY = 0x51;

/** Size of one piece of memory that messages are written to, in bytes. */
const CHUNK = 16_384;
/** Longest text that is written character by character; for longer ones a call into the runtime pays. */
const SHORT = 24;

/** Execute of the unnamed portal, all rows; and Sync. */
const EXECUTE_SYNC: readonly number[] = [0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0x53, 0, 0, 0, 4];
/** Execute of the unnamed portal, all rows. */
const EXECUTE: readonly number[] = EXECUTE_SYNC.slice(0, 10);
/** Sync. */
const SYNC: readonly number[] = EXECUTE_SYNC.slice(10);
/** Describe of the unnamed portal. */
const DESCRIBE: readonly number[] = [0x44, 0, 0, 0, 6, 0x50, 0];

export class Outbox {
  #bytes: Buffer = Buffer.allocUnsafeSlow(CHUNK);
  // What lies before it has been taken to be sent, and is not written to again. Marks count from here.
  #sent = 0;
  #at = 0;

  get empty(): boolean {
    return this.#at === this.#sent;
  }

  /** Where the next message begins, for `undo`. */
  get mark(): number {
    return this.#at - this.#sent;
  }

  /** Takes back what was written since a mark, if nothing has been taken since. */
  undo(mark: number): void {
    this.#at = this.#sent + mark;
  }

  /** What was written since the last time. */
  take(): Buffer {
    const taken = this.#bytes.subarray(this.#sent, this.#at);
    this.#sent = this.#at;
    return taken;
  }

  parse(name: string, text: string): void {
    const start = this.#begin(PARSE);
    this.#zeroEnded(name);
    this.#zeroEnded(text);
    this.#int16(0);
    this.#end(start);
  }

  /** By the simple protocol: one statement of any kind, without values. */
  query(text: string): void {
    const start = this.#begin(QUERY);
    this.#zeroEnded(text);
    this.#end(start);
  }

  close(name: string): void {
    const start = this.#begin(CLOSE);
    this.#room(1);
    this.#bytes[this.#at++] = STATEMENT;
    this.#zeroEnded(name);
    this.#end(start);
  }

  /**
   * Binds values as `pg` does: bytes as they are, everything else as text; every answer is wanted as text.
   * @throws whatever the caller's own conversion throws.
   */
  bind(name: string, values: readonly unknown[]): void {
    const start = this.#begin(BIND);
    const count = values.length;
    this.#room(1);
    this.#bytes[this.#at++] = 0;
    this.#zeroEnded(name);
    this.#int16(count);
    const formats = this.mark;
    this.#room(2 * count);
    for (let index = 0; index < 2 * count; index += 1) this.#bytes[this.#at++] = 0;
    this.#int16(count);
    for (let index = 0; index < count; index += 1) {
      const value = values[index];
      // What most are; `pg` makes the same of them.
      const made = typeof value === "string" ? value : typeof value === "number" ? String(value) : prepareValue(value);
      if (typeof made === "string") this.#counted(made);
      else if (made === null || made === undefined) this.#int32(-1);
      else {
        this.#int32(made.length);
        this.#room(made.length);
        this.#bytes.set(made, this.#at);
        this.#at += made.length;
        this.#bytes[this.#sent + formats + 2 * index + 1] = 1;
      }
    }
    this.#int16(0);
    this.#end(start);
  }

  describe(): void {
    this.#constant(DESCRIBE);
  }

  /** Executes what was bound, and ends the statement: what follows is not concerned by its failure. */
  executeAndSync(): void {
    this.#constant(EXECUTE_SYNC);
  }

  /** Executes what was bound, as one of several before a Sync. */
  execute(): void {
    this.#constant(EXECUTE);
  }

  /** Ends several: the failure of one concerns all that follow it. */
  sync(): void {
    this.#constant(SYNC);
  }

  #begin(code: number): number {
    this.#room(5);
    this.#bytes[this.#at] = code;
    this.#at += 5;
    return this.mark - 4;
  }

  #end(start: number): void {
    const length = this.mark - start;
    const at = this.#sent + start;
    const bytes = this.#bytes;
    bytes[at] = length >>> 24;
    bytes[at + 1] = length >>> 16;
    bytes[at + 2] = length >>> 8;
    bytes[at + 3] = length;
  }

  #int16(value: number): void {
    this.#room(2);
    this.#bytes[this.#at++] = value >>> 8;
    this.#bytes[this.#at++] = value;
  }

  #int32(value: number): void {
    this.#room(4);
    const bytes = this.#bytes;
    bytes[this.#at++] = value >>> 24;
    bytes[this.#at++] = value >>> 16;
    bytes[this.#at++] = value >>> 8;
    bytes[this.#at++] = value;
  }

  #constant(message: readonly number[]): void {
    this.#room(message.length);
    for (let index = 0; index < message.length; index += 1) this.#bytes[this.#at++] = message[index]!;
  }

  #zeroEnded(text: string): void {
    this.#text(text);
    this.#room(1);
    this.#bytes[this.#at++] = 0;
  }

  /** A text with its length before it. */
  #counted(text: string): void {
    this.#room(4);
    const start = this.mark;
    this.#at += 4;
    this.#text(text);
    const length = this.mark - start - 4;
    const at = this.#sent + start;
    this.#bytes[at] = length >>> 24;
    this.#bytes[at + 1] = length >>> 16;
    this.#bytes[at + 2] = length >>> 8;
    this.#bytes[at + 3] = length;
  }

  #text(text: string): void {
    const { length } = text;
    // A UTF-16 unit becomes at most three bytes.
    this.#room(3 * length);
    if (length <= SHORT && this.#ascii(text)) return;
    this.#at += this.#bytes.write(text, this.#at, "utf8");
  }

  /** Writes a text that is plain ASCII; false, with nothing written, for any other. */
  #ascii(text: string): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[at++] = code;
    }
    this.#at = at;
    return true;
  }

  /** Makes sure that there is room for so many bytes more. */
  #room(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const kept = this.#bytes.subarray(this.#sent, this.#at);
    const grown = Buffer.allocUnsafeSlow(Math.max(CHUNK, 2 * (kept.length + count)));
    grown.set(kept);
    this.#bytes = grown;
    this.#at = kept.length;
    this.#sent = 0;
  }
}
