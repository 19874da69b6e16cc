/** Dice of a run: the same seed gives the same numbers, for each purpose apart from all others. */

/** Draws a number from 0, below 1. */
export type Dice = () => number;

/**
 * Dice for one purpose of a run. Apart, because calls of concurrent callers come in another order each time: what one draws must
 * not change what another gets.
 */
export function dice(seed: number, purpose: string): Dice {
  // FNV-1a over the purpose, then mulberry32 (Tommy Ettinger, public domain).
  let state = (seed ^ 0x811c9dc5) >>> 0;
  for (const letter of purpose) state = Math.imul(state ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One of some things. */
export function pick<T>(things: readonly T[], random: Dice): T | undefined {
  return things[Math.floor(random() * things.length)];
}

/** A key, by its share of the sum of all. */
export function pickShare<K extends string>(shares: readonly (readonly [K, number])[], random: Dice): K {
  let rest = random() * shares.reduce((sum, [, share]) => sum + share, 0);
  for (const [key, share] of shares) {
    rest -= share;
    if (rest < 0) return key;
  }
  // Rounding may leave a little.
  const last = shares.findLast(([, share]) => share > 0);
  if (last === undefined) throw new RangeError("no share is above 0");
  return last[0];
}
