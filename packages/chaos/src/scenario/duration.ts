/** Times as scenarios write them, and the dice that choose within them. */
import { shownValue } from "./issue.ts";
import type { Duration } from "./model.ts";
import { either, type Shape, where } from "./shape.ts";

/** Longest time that a scenario may name, in milliseconds. */
const MAX_MS = 600_000;

const example = `a time such as 250, "200ms" or "1.5s"`;
const single = where(`${example}, up to 10 minutes`, (value) => msOf(value) !== undefined);

/** A time, or two between which the dice choose. */
export const durationShape: Shape = orTwo(single);

/** The same for what takes no more than a minute. */
export const shortShape: Shape = durationOf("up to 1 minute", (ms) => ms <= 60_000);

/** The same for what counts in whole milliseconds, and cannot be nothing. */
export const wholeMsShape: Shape = durationOf(
  "in whole milliseconds, from 1 ms to 10 minutes",
  (ms) => ms >= 1 && Number.isInteger(ms),
);

/** A time that the dice have no say in. */
export const limitShape: Shape = single;

function durationOf(range: string, isRight: (ms: number) => boolean): Shape {
  const one = where(`${example}, ${range}`, (value) => {
    const ms = msOf(value);
    return ms !== undefined && isRight(ms);
  });
  return orTwo(one);
}

function orTwo(one: Shape): Shape {
  const expected = "a list of two such times, the shorter first";
  const two: Shape = {
    expected,
    check(value, path, report) {
      const times = value as readonly unknown[];
      const [from, to] = times.map(msOf);
      const isInOrder = from === undefined || to === undefined || from <= to;
      if (times.length !== 2 || !isInOrder) report({ path, at: "value", expected, found: shownValue(value) });
      else for (const [at, time] of times.entries()) one.check(time, [...path, at], report);
    },
  };
  return either([(value) => !Array.isArray(value), one], [Array.isArray, two]);
}

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
