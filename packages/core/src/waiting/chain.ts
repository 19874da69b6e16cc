/**
 * A line of those who wait, in which every step costs the same however many there are.
 *
 * A `Set` would keep the order too, but finding its first entry steps over those deleted before it, which makes a long
 * queue slow.
 */

/** Something that can stand in one chain at a time. */
export interface Linked<Item> {
  /** The item before it; undefined at the front. */
  before: Item | undefined;
  /** The item after it; undefined at the end. */
  after: Item | undefined;
}

/** Items in the order of their coming. Any one can leave in constant time. */
export class Chain<Item extends Linked<Item>> {
  /** The item that has been there longest; undefined when there is none. */
  first: Item | undefined;
  /** The item that came last; undefined when there is none. */
  last: Item | undefined;
  /** How many stand in it. */
  size = 0;

  /** Puts an item at the end. */
  push(item: Item): void {
    item.before = this.last;
    item.after = undefined;
    if (this.last === undefined) this.first = item;
    else this.last.after = item;
    this.last = item;
    this.size++;
  }

  /** Takes an item out that stands in this chain. */
  remove(item: Item): void {
    if (item.before === undefined) this.first = item.after;
    else item.before.after = item.after;
    if (item.after === undefined) this.last = item.before;
    else item.after.before = item.before;
    item.before = undefined;
    item.after = undefined;
    this.size--;
  }

  /** Takes the first out. */
  shift(): Item | undefined {
    const { first } = this;
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Takes the last out. */
  pop(): Item | undefined {
    const { last } = this;
    if (last !== undefined) this.remove(last);
    return last;
  }
}
