/**
 * Dice that fall the same way again for the same seed.
 */

/** Numbers from 0 up to 1. */
export type Dice = () => number;

/** The dice of one part of the run: parts with other names fall independently. Mulberry32 behind an FNV-1a hash. */
export function dice(seed: number, part: string): Dice {
  let state = seed ^ 0x811c_9dc5;
  for (const letter of part) state = Math.imul(state ^ (letter.codePointAt(0) ?? 0), 0x0100_0193);
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from 0 up to, not including, `end`. */
export function below(end: number, random: Dice): number {
  return Math.floor(random() * end);
}
