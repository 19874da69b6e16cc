/**
 * Tells whether two configurations are the same.
 */

// Functions and instances are themselves, and nothing else is.
const numbers = new WeakMap<object, number>();
let last = 0;

/**
 * A text that is equal for values of equal content, also of properties that are hidden from copies, as `pg` hides
 * passwords. It holds what the value holds: not for logs.
 */
export function identityOf(value: unknown, above: readonly unknown[] = []): string {
  if (typeof value === "function") return numbered(value);
  if (typeof value !== "object" || value === null) return `${typeof value} ${JSON.stringify(value) ?? String(value)}`;
  if (ArrayBuffer.isView(value)) {
    return `bytes ${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64")}`;
  }
  if (value instanceof URL) return `url ${value.href}`;
  if (!isPlain(value) || above.includes(value)) return numbered(value);
  const within = [...above, value];
  const entries = Object.getOwnPropertyNames(value)
    .filter((name) => (value as Record<string, unknown>)[name] !== undefined)
    .toSorted()
    .map((name) => `${JSON.stringify(name)}: ${identityOf((value as Record<string, unknown>)[name], within)}`);
  return Array.isArray(value) ? `[${entries.join(", ")}]` : `{${entries.join(", ")}}`;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === null || prototype === Object.prototype;
}

function numbered(value: object): string {
  const number = numbers.get(value) ?? (last += 1);
  numbers.set(value, number);
  return `#${number}`;
}
