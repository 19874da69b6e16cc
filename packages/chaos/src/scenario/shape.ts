/** Small checks that are put together to a description of what a scenario may hold; all issues are found in one pass. */
import { nearest, type ScenarioIssue, type ScenarioPath, shownValue } from "./issue.ts";

/** Takes what is wrong. */
export type Report = (issue: ScenarioIssue) => void;

/** What a value has to be. */
export interface Shape {
  /** Completes "expected …". */
  readonly expected: string;
  check(value: unknown, path: ScenarioPath, report: Report): void;
}

/** A shape that a test decides. */
export function where(expected: string, isRight: (value: unknown) => boolean): Shape {
  const shape: Shape = {
    expected,
    check(value, path, report) {
      if (!isRight(value)) refuse(shape, value, path, report);
    },
  };
  return shape;
}

/** A number within bounds. */
export function number(min: number, max: number, isWhole = false): Shape {
  const kind = isWhole ? "a whole number" : "a number";
  const range = max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`;
  return where(
    `${kind} ${range}`,
    (value) =>
      typeof value === "number" &&
      Number.isFinite(value) &&
      value >= min &&
      value <= max &&
      (!isWhole || Number.isInteger(value)),
  );
}

/** A whole number within bounds. */
export function whole(min: number, max: number = Infinity): Shape {
  return number(min, max, true);
}

/** One of some words; a misspelt one is told the nearest. */
export function word(words: readonly string[]): Shape {
  const expected = words.length === 1 ? JSON.stringify(words[0]) : `one of ${words.join(", ")}`;
  return {
    expected,
    check(value, path, report) {
      if (typeof value === "string" && words.includes(value)) return;
      const meant = typeof value === "string" ? nearest(value, words) : undefined;
      report({ path, at: "value", expected, found: withHint(shownValue(value), meant) });
    },
  };
}

/** A text of one line, not empty. */
export const text: Shape = where(
  "a text",
  // oxlint-disable-next-line no-control-regex -- NUL ends a string in the protocol and in the server's files
  (value) => typeof value === "string" && value.trim() !== "" && !/\0/.test(value),
);

/** A list of at least `min`. */
export function list(item: Shape, what: string, min = 1): Shape {
  const shape: Shape = {
    expected: min === 0 ? `a list of ${what}` : `a list of at least ${min} ${what}`,
    check(value, path, report) {
      if (!Array.isArray(value) || value.length < min) refuse(shape, value, path, report);
      else for (const [at, one] of value.entries()) item.check(one, [...path, at], report);
    },
  };
  return shape;
}

/** A mapping of names to values of one shape. */
export function record(value: Shape, what: string, isName: (name: string) => boolean): Shape {
  const shape: Shape = {
    expected: `a mapping of ${what}`,
    check(given, path, report) {
      if (!isMapping(given)) return refuse(shape, given, path, report);
      for (const [key, one] of Object.entries(given)) {
        if (!isName(key)) report({ path: [...path, key], at: "key", expected: what, found: shownValue(key) });
        else value.check(one, [...path, key], report);
      }
    },
  };
  return shape;
}

/** The keys of a mapping. Those that end in `!` are required. */
export function mapping(what: string, keys: Readonly<Record<string, Shape>>): Shape {
  const shapes = new Map(Object.entries(keys).map(([key, shape]) => [key.replace("!", ""), shape]));
  const required = Object.keys(keys).flatMap((key) => (key.endsWith("!") ? [key.slice(0, -1)] : []));
  const known = [...shapes.keys()];
  const shape: Shape = {
    expected: what,
    check(value, path, report) {
      if (!isMapping(value)) return refuse(shape, value, path, report);
      for (const [key, one] of Object.entries(value)) {
        const inner = shapes.get(key);
        if (inner === undefined) unknownKey(key, known, path, report);
        else inner.check(one, [...path, key], report);
      }
      for (const key of required) {
        if (key in value) continue;
        const expected = `the key "${key}" (${shapes.get(key)?.expected ?? ""})`;
        report({ path, at: "value", expected, found: shownValue(value) });
      }
    },
  };
  return shape;
}

/** A mapping of exactly one key, which says what the value is. */
export function choice(what: string, kinds: Readonly<Record<string, Shape>>): Shape {
  const known = Object.keys(kinds);
  const expected = `${what}: a mapping of one key of ${known.join(", ")}`;
  return {
    expected,
    check(value, path, report) {
      if (!isMapping(value)) return report({ path, at: "value", expected, found: shownValue(value) });
      const keys = Object.keys(value);
      if (keys.length === 0) return report({ path, at: "value", expected, found: shownValue(value) });
      for (const [at, key] of keys.entries()) {
        const inner = kinds[key];
        if (!Object.hasOwn(kinds, key) || inner === undefined) unknownKey(key, known, path, report);
        else if (at > 0) {
          const found = `a second key "${key}" beside "${keys[0]}"`;
          report({ path: [...path, key], at: "key", expected: `${what} with one key`, found });
        } else inner.check((value as Record<string, unknown>)[key], [...path, key], report);
      }
    },
  };
}

/** The first of some shapes whose `fits` says that it is meant; else all of them are told. */
export function either(...options: readonly (readonly [fits: (value: unknown) => boolean, shape: Shape])[]): Shape {
  const expected = [...new Set(options.map(([, shape]) => shape.expected))].join(", or ");
  return {
    expected,
    check(value, path, report) {
      const found = options.find(([fits]) => fits(value));
      if (found === undefined) report({ path, at: "value", expected, found: shownValue(value) });
      else found[1].check(value, path, report);
    },
  };
}

/** Whether a value has keys. */
export function isMapping(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof RegExp);
}

function refuse(shape: Shape, value: unknown, path: ScenarioPath, report: Report): void {
  report({ path, at: "value", expected: shape.expected, found: shownValue(value) });
}

function unknownKey(key: string, known: readonly string[], path: ScenarioPath, report: Report): void {
  const found = withHint(`the unknown key "${key}"`, nearest(key, known));
  report({ path: [...path, key], at: "key", expected: `one of the keys ${known.join(", ")}`, found });
}

function withHint(found: string, meant: string | undefined): string {
  return meant === undefined ? found : `${found} (did you mean "${meant}"?)`;
}
