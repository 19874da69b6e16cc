/**
 * What people pass as a statement.
 */
import { UsageError } from "../contract/errors.ts";
import type { Statement } from "../contract/pool.ts";

/** Most parameters of one statement: the protocols count them in two bytes, and drivers do not look. */
const MAX_VALUES = 65_535;

/** Makes a statement of what people pass, a text with `values` among it. @throws UsageError of `pool` when it is none. */
export function toStatement(pool: string, statement: unknown, values?: readonly unknown[]): Statement {
  const made = madeOf(pool, statement, values);
  if (made.values !== undefined && made.values.length > MAX_VALUES) {
    throw new UsageError(pool, `a statement has ${made.values.length} parameters; there may be ${MAX_VALUES}`);
  }
  return made;
}

function madeOf(pool: string, statement: unknown, values: readonly unknown[] | undefined): Statement {
  if (typeof statement === "string") {
    if (values === undefined) return { text: statement };
    if (Array.isArray(values)) return { text: statement, values };
    throw new UsageError(pool, "the values of a statement must be an array");
  }
  const given = withOwnFields(statement) as Partial<Statement> | null | undefined;
  if (typeof given !== "object" || given === null || typeof given.text !== "string") {
    throw new UsageError(pool, "a statement must be a text, or an object with a text");
  }
  if (!isArrayOrNone(given.values) || !isArrayOrNone(values)) {
    throw new UsageError(pool, "the values of a statement must be an array");
  }
  return values === undefined ? (given as Statement) : { ...(given as Statement), values };
}

const FIELDS = ["text", "values", "name", "rowMode"] as const;

/**
 * The same statement with fields of its own: some libraries make statements whose text or values are getters of a class,
 * which no copy would have. What a driver submits by a method of its own is left as it is.
 */
export function withOwnFields<Given>(statement: Given): Given {
  if (typeof statement !== "object" || statement === null || "submit" in statement) return statement;
  const given = statement as Readonly<Record<string, unknown>>;
  const inherited = FIELDS.filter((field) => field in given && !Object.hasOwn(given, field));
  if (inherited.length === 0) return statement;
  return { ...given, ...Object.fromEntries(inherited.map((field) => [field, given[field]])) } as Given;
}

/** Makes a statement for many rows of values. @throws UsageError when it is none, or has values already. */
export function withoutValues(pool: string, statement: unknown): Statement {
  const made = toStatement(pool, statement);
  if ((made.values?.length ?? 0) === 0) return made;
  throw new UsageError(pool, "the statement of executeMany() has values of its own; they come with the rows");
}

/** Makes statements of a list of what people pass. @throws UsageError when it is no list, or one of them is none. */
export function toStatements(pool: string, statements: Iterable<string | Statement>): Statement[] {
  if (typeof statements !== "object" || statements === null || !(Symbol.iterator in statements)) {
    throw new UsageError(pool, "batch() must be given a list of statements");
  }
  return Array.from(statements, (statement) => toStatement(pool, statement));
}

/** Takes values and options apart: options may stand in the place of values that are left out. */
export function apart<Options extends object>(
  values: readonly unknown[] | Options | undefined,
  options: Options | undefined,
): readonly [readonly unknown[] | undefined, Options | undefined] {
  // Whatever is no object was meant as values, and is refused as such.
  const noOptions = typeof values !== "object" || values === null || Array.isArray(values) || options !== undefined;
  return noOptions ? [values as readonly unknown[] | undefined, options] : [undefined, values as Options];
}

function isArrayOrNone(values: unknown): boolean {
  return values === undefined || Array.isArray(values);
}
