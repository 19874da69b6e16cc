/**
 * Arithmetic on latencies and rates.
 */

/** The value that `share` (0 to 1) of the values do not exceed, by the nearest rank; undefined when there are none. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** Whole milliseconds, or a dash. */
export function ms(value: number | undefined): string {
  if (value === undefined) return "-";
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}

/** Seconds with one decimal. */
export function seconds(valueMs: number): string {
  return (valueMs / 1_000).toFixed(1);
}
