import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Permits } from "./permits.ts";

describe("Permits", () => {
  it("serves in the order of coming, forgets who leaves, and never gives more than there are", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("come", "leave", "release", "resize"), fc.nat(20)), { maxLength: 200 }),
        (steps) => {
          const permits = new Permits(2);
          const waiting: { readonly id: number; readonly leave: () => void }[] = [];
          const admitted: number[] = [];
          const expected: number[] = [];
          let id = 0;
          const serve = (): void => {
            while (waiting.length > 0 && taken < permits.max) {
              taken += 1;
              expected.push(waiting.shift()?.id ?? -1);
            }
          };
          let taken = 0;
          for (const [step, number] of steps) {
            if (step === "come") {
              if (permits.tryTake()) taken += 1;
              else {
                const own = id++;
                waiting.push({
                  id: own,
                  leave: permits.wait(
                    () => admitted.push(own),
                    () => undefined,
                  ),
                });
              }
            } else if (step === "leave" && waiting.length > 0) {
              const [left] = waiting.splice(number % waiting.length, 1);
              left?.leave();
              left?.leave();
            } else if (step === "release" && taken > 0) {
              taken -= 1;
              serve();
              permits.release();
            } else if (step === "resize") {
              permits.resize(number);
              serve();
            }
            expect([permits.taken, permits.waiting]).toEqual([taken, waiting.length]);
            expect(admitted).toEqual(expected);
          }
        },
      ),
    );
  });

  it("refuses all who wait, once, and who comes meanwhile waits", () => {
    const permits = new Permits(0);
    const refused: unknown[] = [];
    permits.wait(
      () => undefined,
      (reason) => {
        refused.push(reason);
        permits.wait(
          () => undefined,
          (again) => refused.push(again),
        );
      },
    );
    permits.refuseAll("closed");
    expect(refused).toEqual(["closed"]);
    expect(permits.waiting).toBe(1);
  });
});
