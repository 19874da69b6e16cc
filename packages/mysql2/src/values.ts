/**
 * Parameters as mysql2 can send them. What cannot be sent is refused before anything is.
 */

/**
 * Objects become JSON: left alone, mysql2 would write them into a text as `a = 1`, which is a way to change what a
 * statement means. Lists do too, unless they are to be written into the text as lists.
 * @throws TypeError for a value that no column can have.
 */
export function bindable(values: readonly unknown[], lists: boolean): unknown[] {
  return values.map((value, at) => {
    if (typeof value !== "object" || value === null) return plain(value, at);
    if (value instanceof Date || value instanceof Uint8Array) return value;
    if (lists && Array.isArray(value)) return value;
    return JSON.stringify(value);
  });
}

function plain(value: unknown, at: number): unknown {
  if (value === undefined || typeof value === "function" || typeof value === "symbol")
    throw new TypeError(`parameter ${at + 1} must be a value or null, not ${typeof value}`);
  return value;
}
