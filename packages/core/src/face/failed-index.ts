/**
 * Which of many statements an error belongs to.
 */

/** Notes on an error that it came from one of many statements or rows: the `index`, counted from 0. For adapters. */
export function noteIndex(error: unknown, index: number): void {
  if (typeof error !== "object" || error === null || !Object.isExtensible(error)) return;
  Object.defineProperty(error, "failedIndex", { value: index, enumerable: true, configurable: true, writable: true });
}

/** Which statement of a batch, or which row of `executeMany`, an error came from, from 0; undefined for any other error. */
export function failedIndex(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { failedIndex: index } = error as { readonly failedIndex?: unknown };
  return typeof index === "number" ? index : undefined;
}
