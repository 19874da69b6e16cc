/**
 * A bounded set of texts. Two generations: when the young one is full it becomes the old one, and what the old one held
 * is forgotten unless it was asked for in the meantime.
 */

/** Most texts of one generation. */
const MAX_TEXTS = 1_000;
/** Longest text that is kept, in characters. */
const MAX_LENGTH = 8_192;

export class Remembered {
  #young = new Set<string>();
  #old = new Set<string>();

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  has(text: string): boolean {
    if (this.#young.has(text)) return true;
    if (!this.#old.has(text)) return false;
    this.#old.delete(text);
    this.add(text);
    return true;
  }

  add(text: string): void {
    if (text.length > MAX_LENGTH) return;
    if (this.#young.size >= MAX_TEXTS) {
      this.#old = this.#young;
      this.#young = new Set();
    }
    this.#young.add(text);
  }
}
