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

/** Gives back the `value` of an `option`: milliseconds above 0, at most `MAX_MS`. @throws OptionError when it is not. */
export function positiveMs(option: string, value: unknown): number {
  return number(option, value, (n) => n > 0 && n <= MAX_MS, `milliseconds above 0, at most ${MAX_MS}`);
}

/** Gives back the `value` of an `option`: milliseconds from 0 to `MAX_MS`. @throws OptionError when it is not. */
export function nonNegativeMs(option: string, value: unknown): number {
  return number(option, value, (n) => n >= 0 && n <= MAX_MS, `milliseconds from 0 to ${MAX_MS}`);
}

/** Gives back the `value` of an `option`: a whole number from 1. @throws OptionError when it is not. */
export function positiveInteger(option: string, value: unknown): number {
  return number(option, value, (n) => Number.isSafeInteger(n) && n >= 1, "a whole number from 1");
}

/** Gives back the `value` of an `option`: a whole number from 0. @throws OptionError when it is not. */
export function nonNegativeInteger(option: string, value: unknown): number {
  return number(option, value, (n) => Number.isSafeInteger(n) && n >= 0, "a whole number from 0");
}

/** Gives back the `value` of an `option`: a finite number of at least `min`. @throws OptionError when it is not. */
export function atLeast(option: string, value: unknown, min: number): number {
  return number(option, value, (n) => Number.isFinite(n) && n >= min, `a number of at least ${min}`);
}

/** Gives back the `value` of an `option`: a share: above 0, at most 1. @throws OptionError when it is not. */
export function ratio(option: string, value: unknown): number {
  return number(option, value, (n) => n > 0 && n <= 1, "a number above 0, at most 1");
}

/** Gives back the `value` of an `option`: one of `words`. @throws OptionError when it is not. */
export function oneOf<const Word extends string>(option: string, value: unknown, words: readonly Word[]): Word {
  const found = words.find((word) => word === value);
  if (found === undefined)
    throw new OptionError(option, value, `one of ${words.map((word) => `"${word}"`).join(", ")}`);
  return found;
}

/** Gives back the `value` of an `option`: true or false. @throws OptionError when it is not. */
export function flag(option: string, value: unknown): boolean {
  if (typeof value !== "boolean") throw new OptionError(option, value, "true or false");
  return value;
}

/** Gives back the `value` of an `option`: a text that is not empty. @throws OptionError when it is not. */
export function text(option: string, value: unknown): string {
  if (typeof value !== "string" || value === "") throw new OptionError(option, value, "a text that is not empty");
  return value;
}

/**
 * Gives back options that have no other keys than `known`; a misspelled option would otherwise silently be its default.
 * `owner` stands before their names in the error, such as `retry`. @throws OptionError when there is another key, or
 * `options` is no object.
 */
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
