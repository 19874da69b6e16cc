/**
 * Random choices that fast-check can shrink: they come from a tape of numbers. An exhausted tape gives zeros, and a generator
 * makes alternative 0 the plainest.
 */

/** Reads choices off a tape. */
export class Tape {
  private at = 0;
  private readonly numbers: readonly number[];

  constructor(numbers: readonly number[]) {
    this.numbers = numbers;
  }

  /** A number below `count`; 0 once the tape is used up. */
  below(count: number): number {
    const number = this.numbers[this.at++] ?? 0;
    return number % count;
  }

  /** One of the items. */
  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  /** True about once in `times`. */
  rarely(times: number): boolean {
    return this.below(times) === times - 1;
  }

  get exhausted(): boolean {
    return this.at >= this.numbers.length;
  }
}
