/** Checks of what callers pass in: every refusal names the option, the value and what would have been right. */

/**
 * Refuses options that do not exist, so that a misspelt one is not silently ignored.
 *
 * @throws RangeError naming the unknown option and the known ones.
 */
export function onlyKnown(owner: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) throw refusal(`${owner} options`, options, "an object");
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new RangeError(`${owner}: unknown option ${name}; known: ${known.join(", ")}`);
  }
}

/** @throws RangeError unless `value` is a whole number within the bounds. */
export function integerIn(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`;
  throw refusal(name, value, range);
}

/** @throws RangeError unless `value` is a finite number within the bounds. */
export function numberIn(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= min && value <= max) return value;
  throw refusal(name, value, `a number from ${min} to ${max}`);
}

/** @throws RangeError unless `value` is one of `choices`. */
export function oneOf<const T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw refusal(name, value, `one of ${choices.map((c) => `"${c}"`).join(", ")}`);
  return found;
}

/** @throws RangeError unless `value` is a boolean. */
export function booleanOf(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw refusal(name, value, "true or false");
}

/** @throws RangeError unless `value` is a string without NUL and line ends. */
export function lineOf(name: string, value: unknown): string {
  // oxlint-disable-next-line no-control-regex -- NUL ends a string in the protocol and in the server's files
  if (typeof value === "string" && !/[\0\r\n]/.test(value)) return value;
  throw refusal(name, value, "a string without line ends");
}

export function refusal(name: string, value: unknown, wanted: string): RangeError {
  return new RangeError(`${name} must be ${wanted}, got ${shown(value)}`);
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
