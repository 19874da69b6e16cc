/**
 * Statements written as templates: what stands in `${…}` becomes a parameter, never a part of the text.
 */
import type { Statement } from "../contract/pool.ts";

/** How a database wants parameters and names written. */
export interface SqlStyle {
  /** The placeholder of a parameter, counted from 1. */
  placeholder(index: number): string;
  /** A name, quoted; of the parts of a qualified name, each. */
  quote(name: string): string;
}

const POSTGRES: SqlStyle = {
  placeholder: (index) => `$${index}`,
  quote: (name) => `"${name.replaceAll('"', '""')}"`,
};

/** A name as a part of a statement. */
class Name {
  readonly parts: readonly string[];

  constructor(parts: readonly string[]) {
    this.parts = parts;
  }
}

// One text per place in the program, as long as only values stand in it.
const texts = new WeakMap<readonly string[], string>();

/** A statement made by the tag `sql`, or a part of one. It can be given to whatever takes a statement. */
export class Sql implements Statement {
  /** With placeholders as PostgreSQL has them. */
  readonly text: string;
  /** Values of the placeholders, in order. */
  readonly values: unknown[];
  readonly #strings: readonly string[];
  readonly #given: readonly unknown[];

  /** What `sql` does. `strings` are trusted; `given` goes between them. */
  constructor(strings: readonly string[], given: readonly unknown[]) {
    this.#strings = strings;
    this.#given = given;
    if (given.some(isPart)) ({ text: this.text, values: this.values } = this.render(POSTGRES));
    else {
      this.text = texts.get(strings) ?? this.render(POSTGRES).text;
      texts.set(strings, this.text);
      this.values = [...given];
    }
  }

  /** The same statement for another kind of database. */
  render(style: SqlStyle): { readonly text: string; readonly values: unknown[] } {
    const values: unknown[] = [];
    return { text: this.#write(style, values), values };
  }

  #write(style: SqlStyle, values: unknown[]): string {
    let text = this.#strings[0] ?? "";
    for (const [index, given] of this.#given.entries()) {
      if (given instanceof Sql) text += given.#write(style, values);
      else if (given instanceof Name) text += given.parts.map((part) => style.quote(part)).join(".");
      else text += style.placeholder(values.push(given));
      text += this.#strings[index + 1] ?? "";
    }
    return text;
  }
}

function isPart(value: unknown): boolean {
  if (Array.isArray(value) && value.some((each) => each instanceof Sql)) {
    throw new TypeError("sql: a list of parts is written with sql.join()");
  }
  return value instanceof Sql || value instanceof Name;
}

/** The tag `sql` and what goes into its templates. */
export interface SqlTag {
  /**
   * Makes a statement: values become parameters, other `sql` parts become part of it. The same template gives the same text.
   * A list of values is one parameter: `= ANY(${ids})`.
   */
  (strings: TemplateStringsArray, ...values: readonly unknown[]): Sql;
  /**
   * A name, quoted: of a table, a column, a channel. Several make a qualified one: `sql.identifier("public", "book")`.
   * @throws TypeError when one is no text, is empty, or holds a zero character.
   */
  identifier(...names: readonly [string, ...string[]]): Sql;
  /**
   * Parts and values in a row, with a part between them: `IN (${sql.join(ids)})`, `sql.join(conditions, sql` AND `)`.
   * @throws TypeError when there are none: hardly any statement may have nothing there.
   */
  join(parts: Iterable<unknown>, separator?: Sql): Sql;
  /** Rows of values for `INSERT … VALUES`: `($1, $2), ($3, $4)`. @throws TypeError when there are none, or an empty one. */
  rows(rows: Iterable<Iterable<unknown>>): Sql;
  /** Puts a text into a statement as it is. Never one that anybody else could have had a hand in. */
  unsafe(text: string): Sql;
  /** A part with nothing in it. */
  readonly empty: Sql;
}

function tag(strings: TemplateStringsArray, ...values: readonly unknown[]): Sql {
  if (!Array.isArray(strings) || !Array.isArray(strings.raw)) {
    throw new TypeError("sql is a tag of templates: sql`SELECT …`, not sql(…); for a text there is sql.unsafe()");
  }
  if (strings.some((part: string | undefined) => part === undefined)) {
    throw new TypeError("sql: there is an escape in the template that means nothing");
  }
  return new Sql(strings, values);
}

function join(parts: Iterable<unknown>, separator: Sql = COMMA): Sql {
  const given: unknown[] = [];
  for (const part of parts) {
    if (given.length > 0) given.push(separator);
    given.push(part);
  }
  if (given.length === 0) throw new TypeError("sql.join: there is nothing to join");
  if (!(separator instanceof Sql)) throw new TypeError("sql.join: the separator must be a part: sql` AND `");
  return new Sql(
    Array.from({ length: given.length + 1 }, () => ""),
    given,
  );
}

function identifier(...names: readonly string[]): Sql {
  if (names.length === 0) throw new TypeError("sql.identifier: there is no name");
  for (const name of names) {
    if (typeof name !== "string" || name === "" || name.includes("\0")) {
      throw new TypeError("sql.identifier: a name must be a text that is not empty, without zero characters");
    }
  }
  return new Sql(["", ""], [new Name(names)]);
}

function unsafe(text: string): Sql {
  if (typeof text !== "string") throw new TypeError("sql.unsafe: it must be a text");
  return new Sql([text], []);
}

const COMMA = new Sql([", "], []);

/** Makes statements of templates. */
export const sql: SqlTag = Object.freeze(
  Object.assign(tag, {
    identifier,
    join,
    rows: (rows: Iterable<Iterable<unknown>>): Sql => join(Array.from(rows, (row) => new Sql(["(", ")"], [join(row)]))),
    unsafe,
    empty: new Sql([""], []),
  }),
);
