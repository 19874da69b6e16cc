/**
 * Containers for those who wait: each step costs O(1), or O(log n) in the heap, however many there are.
 */
export { Chain, type Linked } from "@breakwater/core";

/** The item that comes first by a comparison, with any item able to leave: a binary heap whose items know their place. */
export class Heap<Item extends { place: number }> {
  readonly #items: Item[] = [];
  readonly #comesBefore: (a: Item, b: Item) => boolean;

  constructor(comesBefore: (a: Item, b: Item) => boolean) {
    this.#comesBefore = comesBefore;
  }

  get first(): Item | undefined {
    return this.#items[0];
  }

  push(item: Item): void {
    this.#items.push(item);
    this.#put(item, this.#items.length - 1);
    this.#up(item);
  }

  /** Takes an item out that is in this heap. */
  remove(item: Item): void {
    const last = this.#items.pop()!;
    if (last === item) return;
    this.#put(last, item.place);
    this.moved(last);
  }

  /** Puts an item right whose rank has changed. */
  moved(item: Item): void {
    this.#up(item);
    this.#down(item);
  }

  #put(item: Item, place: number): void {
    this.#items[place] = item;
    item.place = place;
  }

  #up(item: Item): void {
    while (item.place > 0) {
      const place = item.place;
      const parent = this.#items[(place - 1) >> 1]!;
      if (!this.#comesBefore(item, parent)) return;
      this.#put(item, parent.place);
      this.#put(parent, place);
    }
  }

  #down(item: Item): void {
    for (;;) {
      const { place } = item;
      const left = this.#items[2 * place + 1];
      const right = this.#items[2 * place + 2];
      const child = left !== undefined && right !== undefined && this.#comesBefore(right, left) ? right : left;
      if (child === undefined || !this.#comesBefore(child, item)) return;
      this.#put(item, child.place);
      this.#put(child, place);
    }
  }
}
