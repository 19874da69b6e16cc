import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Chain, Heap, type Linked } from "./order.ts";

class Item implements Linked<Item> {
  before: Item | undefined;
  after: Item | undefined;
  place = 0;
  value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** What to do next: put a number in, take out the one at this place, or change its value. */
const steps = fc.array(
  fc.record({
    what: fc.constantFrom("push" as const, "push" as const, "remove" as const, "move" as const),
    value: fc.nat(20),
    at: fc.nat(1000),
  }),
  { maxLength: 200 },
);

describe("Chain", () => {
  it("holds what a plain array would, in the same order", () => {
    fc.assert(
      fc.property(steps, (doing) => {
        const chain = new Chain<Item>();
        const model: Item[] = [];
        for (const { what, value, at } of doing) {
          if (what === "push") {
            model.push(new Item(value));
            chain.push(model.at(-1)!);
          } else if (model.length > 0) {
            chain.remove(model.splice(at % model.length, 1).at(0)!);
          }
          expect(chain.size).toBe(model.length);
          const forth: Item[] = [];
          for (let item = chain.first; item !== undefined; item = item.after) forth.push(item);
          const back: Item[] = [];
          for (let item = chain.last; item !== undefined; item = item.before) back.unshift(item);
          expect(forth).toEqual(model);
          expect(back).toEqual(model);
        }
      }),
    );
  });
});

describe("Heap", () => {
  it("has the least on top, whatever was put in, taken out or changed", () => {
    fc.assert(
      fc.property(steps, (doing) => {
        const heap = new Heap<Item>((a, b) => a.value < b.value);
        const model: Item[] = [];
        for (const { what, value, at } of doing) {
          if (what === "push") {
            model.push(new Item(value));
            heap.push(model.at(-1)!);
          } else if (model.length > 0 && what === "remove") {
            heap.remove(model.splice(at % model.length, 1).at(0)!);
          } else if (model.length > 0) {
            const item = model.at(at % model.length)!;
            item.value = value;
            heap.moved(item);
          }
          const least = model.length === 0 ? undefined : Math.min(...model.map((item) => item.value));
          expect(heap.first?.value).toBe(least);
        }
      }),
    );
  });
});
