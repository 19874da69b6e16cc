/**
 * Names that come from outside, so many and no more: who keeps one series for each must not be made to keep a million.
 */

/** The first `most` different names as they are; every other is `other`. */
export class BoundedNames {
  readonly #most: number;
  readonly #known = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  of(name: string, other: string): string {
    if (this.#known.has(name)) return name;
    if (this.#known.size >= this.#most) return other;
    this.#known.add(name);
    return name;
  }
}

/** What was made of the texts that are in use: two generations, the older of which is dropped when the younger is full. */
export class RecentTexts<Value> {
  readonly #most: number;
  // A service says the same again and again.
  #last: { readonly text: string; readonly value: Value } | undefined;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  constructor(most: number) {
    this.#most = most;
  }

  get(text: string, make: (text: string) => Value): Value {
    if (this.#last?.text === text) return this.#last.value;
    const young = this.#young.get(text);
    if (young !== undefined) {
      this.#last = { text, value: young };
      return young;
    }
    const value = this.#old.get(text) ?? make(text);
    if (this.#young.size >= this.#most) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(text, value);
    return value;
  }
}
