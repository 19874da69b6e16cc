/** Times as scenarios write them, and the dice that choose within them. */
import { either, type Shape, where } from "./shape.ts";
import type { Duration } from "./model.ts";

/** Longest time that a scenario may name, in milliseconds. */
const MAX_MS = 600_000;

const single = where(`a time such as 250, "200ms" or "1.5s", up to 10 minutes`, (value) => msOf(value) !== undefined);

/** A time, or two between which the dice choose. */
export const durationShape: Shape = either(
  [(value) => !Array.isArray(value), single],
  [
    Array.isArray,
    where("a list of two such times, the shorter first", (value) => {
      const [from, to, more] = (value as unknown[]).map(msOf);
      return (
        (value as unknown[]).length === 2 && from !== undefined && to !== undefined && from <= to && more === undefined
      );
    }),
  ],
);

/** A time that the dice have no say in. */
export const limitShape: Shape = single;

/** Milliseconds of one time; undefined when it is none. */
export function msOf(value: unknown): number | undefined {
  let ms: number | undefined;
  if (typeof value === "number") ms = value;
  else if (typeof value === "string") {
    const [, amount, unit] = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m)?\s*$/.exec(value) ?? [];
    if (amount !== undefined) ms = Number(amount) * (unit === "s" ? 1_000 : unit === "m" ? 60_000 : 1);
  }
  return ms !== undefined && Number.isFinite(ms) && ms >= 0 && ms <= MAX_MS ? ms : undefined;
}

/** The time that the dice choose, in milliseconds. */
export function draw(duration: Duration, random: () => number): number {
  if (typeof duration !== "object") return msOf(duration) ?? 0;
  const [from = 0, to = 0] = duration.map((one) => msOf(one) ?? 0);
  return Math.round(from + random() * (to - from));
}
