/** Figures as people read them. */

/** A moment or a length of time: `850 ms`, `12.3 s`. */
export function duration(ms: number): string {
  if (ms < 10) return `${round(ms, 1)} ms`;
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${round(ms / 1_000, 1)} s`;
}

/** A number with thousands set apart: `12,400`. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** `1 write`, `2 writes`. */
export function several(value: number, one: string, more: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : more}`;
}

function round(value: number, digits: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}
