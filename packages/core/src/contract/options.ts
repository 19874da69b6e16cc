/**
 * Checks of options, made at construction. Each throws an `OptionError` with option, value and range.
 */
import { OptionError } from "./errors.ts";

/** Longest wait that a timer can hold, in milliseconds (2^31 - 1: about 24.8 days). */
export const MAX_MS = 2_147_483_647;

function number(option: string, value: unknown, fits: (n: number) => boolean, expected: string): number {
  if (typeof value !== "number" || !fits(value)) throw new OptionError(option, value, expected);
  return value;
}

/** Milliseconds above 0. */
export function positiveMs(option: string, value: unknown): number {
  return number(option, value, (n) => n > 0 && n <= MAX_MS, `milliseconds above 0, at most ${MAX_MS}`);
}

/** Milliseconds from 0. */
export function nonNegativeMs(option: string, value: unknown): number {
  return number(option, value, (n) => n >= 0 && n <= MAX_MS, `milliseconds from 0 to ${MAX_MS}`);
}

/** A whole number from 1. */
export function positiveInteger(option: string, value: unknown): number {
  return number(option, value, (n) => Number.isSafeInteger(n) && n >= 1, "a whole number from 1");
}

/** A whole number from 0. */
export function nonNegativeInteger(option: string, value: unknown): number {
  return number(option, value, (n) => Number.isSafeInteger(n) && n >= 0, "a whole number from 0");
}

/** A finite number of at least `min`. */
export function atLeast(option: string, value: unknown, min: number): number {
  return number(option, value, (n) => Number.isFinite(n) && n >= min, `a number of at least ${min}`);
}

/** A share: above 0, at most 1. */
export function ratio(option: string, value: unknown): number {
  return number(option, value, (n) => n > 0 && n <= 1, "a number above 0, at most 1");
}

/** One of some words. */
export function oneOf<const Word extends string>(option: string, value: unknown, words: readonly Word[]): Word {
  const found = words.find((word) => word === value);
  if (found === undefined)
    throw new OptionError(option, value, `one of ${words.map((word) => `"${word}"`).join(", ")}`);
  return found;
}

/** True or false. */
export function flag(option: string, value: unknown): boolean {
  if (typeof value !== "boolean") throw new OptionError(option, value, "true or false");
  return value;
}

/** A text that is not empty. */
export function text(option: string, value: unknown): string {
  if (typeof value !== "string" || value === "") throw new OptionError(option, value, "a text that is not empty");
  return value;
}

/** An object with no other keys than `known`; a misspelled option would otherwise silently be its default. */
export function knownOptions<Options extends object>(
  owner: string,
  options: Options,
  known: readonly (keyof Options & string)[],
): Options {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new OptionError(owner, options, "an object of options");
  }
  for (const key of Object.keys(options)) {
    if (!(known as readonly string[]).includes(key)) {
      const value = (options as Record<string, unknown>)[key];
      const names = known.join(", ");
      // What was meant is not known, so it may be a password or a parameter.
      const shown = typeof value === "string" ? "…" : value;
      throw new OptionError(`${owner}.${key}`, shown, `one of ${names}`, `is unknown (there are ${names})`);
    }
  }
  return options;
}
