/**
 * Remembers what was found of texts seen before, within a bound of memory.
 *
 * Two generations: a full young one becomes the old one and what the old one held is forgotten, unless it was asked for in
 * the meantime. That keeps the texts in use without ordering them, so a hit is one look into a map.
 */

/** Bounds of a cache. */
export interface GenerationalCacheOptions {
  /** Most entries of one generation; at least 1. @default 1024 */
  readonly maxEntries?: number;
  /** Longest text that is kept, in characters; longer ones are not remembered. @default 4096 */
  readonly maxLength?: number;
  /** Most characters of one generation. @default 1_048_576 */
  readonly maxCharacters?: number;
}

/** A bounded map from texts to what is known of them. */
export class GenerationalCache<Value> {
  private young = new Map<string, Value>();
  private old = new Map<string, Value>();
  /** Length of all texts in `young` together. */
  private characters = 0;
  private readonly maxEntries: number;
  private readonly maxLength: number;
  private readonly maxCharacters: number;

  constructor(options: GenerationalCacheOptions = {}) {
    this.maxEntries = options.maxEntries ?? 1024;
    this.maxLength = options.maxLength ?? 4096;
    this.maxCharacters = options.maxCharacters ?? 1_048_576;
  }

  /** What is remembered of a text, if anything. */
  get(text: string): Value | undefined {
    const value = this.young.get(text);
    if (value !== undefined) return value;
    const older = this.old.get(text);
    if (older !== undefined) this.set(text, older);
    return older;
  }

  /** Remembers a text, unless it is too long. */
  set(text: string, value: Value): void {
    if (text.length > this.maxLength) return;
    if (this.young.size >= this.maxEntries || this.characters + text.length > this.maxCharacters) {
      this.old = this.young;
      this.young = new Map();
      this.characters = 0;
    }
    this.young.set(text, value);
    this.characters += text.length;
  }

  /** How many texts are remembered. */
  get size(): number {
    return this.young.size + this.old.size;
  }
}
