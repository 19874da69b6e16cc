/**
 * How the rows of one statement are made: known once its columns are, and kept with what was prepared.
 */
import type { Types, WireField } from "./driver-parts.ts";

/** Makes a row of the bytes at `at`, where its first column begins. */
export type MakeRow = (bytes: Buffer, at: number) => unknown;

type Parser = (text: string) => unknown;

interface Maker {
  readonly parsers: readonly Parser[];
  readonly make: MakeRow;
}

/** The columns of a statement, and what makes rows of them. */
export class Plan {
  readonly fields: readonly WireField[];
  #objects: Maker | undefined;
  #arrays: Maker | undefined;

  constructor(fields: readonly WireField[]) {
    this.fields = fields;
  }

  /** What makes rows, as objects or as arrays, with the parsers that `types` has at this moment. */
  maker(types: Types, asArrays: boolean): MakeRow {
    const known = asArrays ? this.#arrays : this.#objects;
    // As `pg` does, parsers are looked up for every result: one that has been set since counts.
    if (known !== undefined && this.#same(known.parsers, types)) return known.make;
    const parsers = this.fields.map((field) => types.getTypeParser(field.dataTypeID, field.format));
    const maker = { parsers, make: compile(this.fields, parsers, asArrays) };
    if (asArrays) this.#arrays = maker;
    else this.#objects = maker;
    return maker.make;
  }

  #same(parsers: readonly Parser[], types: Types): boolean {
    const { fields } = this;
    for (let index = 0; index < parsers.length; index += 1) {
      const { dataTypeID, format } = fields[index]!;
      if (types.getTypeParser(dataTypeID, format) !== parsers[index]) return false;
    }
    return true;
  }
}

/** Whether functions may be made of texts; some programs forbid it. */
const COMPILES = mayCompile();

/** More columns than this are read in a loop: a function of them would be long. */
const MOST_COLUMNS = 200;

function compile(fields: readonly WireField[], parsers: readonly Parser[], asArrays: boolean): MakeRow {
  if (!COMPILES || fields.length > MOST_COLUMNS) return looped(fields, parsers, asArrays);
  const names = fields.map(({ name }) => name);
  // The only texts that come from outside are names of columns, quoted as JSON, which is a part of JavaScript.
  const read = names.map(
    (_, index) =>
      `let v${index} = null; n = (b[o] << 24) | (b[o + 1] << 16) | (b[o + 2] << 8) | b[o + 3]; o += 4; ` +
      `if (n !== -1) { v${index} = p${index}(b.utf8Slice(o, o + n)); o += n; }`,
  );
  const row = asArrays
    ? `[${names.map((_, index) => `v${index}`).join(", ")}]`
    : `{ ${names.map((name, index) => `${keyOf(name)}: v${index}`).join(", ")} }`;
  const source = `return (b, o) => { let n = 0; ${read.join("\n")} return ${row}; };`;
  const parameters = parsers.map((_, index) => `p${index}`);
  // oxlint-disable-next-line no-implied-eval -- makes rows of one shape, several times as fast as a loop over the columns
  return new Function(...parameters, source)(...parsers) as MakeRow;
}

/** In brackets it is a property like any other; without them it would be the prototype. */
function keyOf(name: string): string {
  return name === "__proto__" ? '["__proto__"]' : JSON.stringify(name);
}

function looped(fields: readonly WireField[], parsers: readonly Parser[], asArrays: boolean): MakeRow {
  return (bytes, start) => {
    let at = start;
    const values: unknown[] = [];
    for (const parse of parsers) {
      const length = bytes.readInt32BE(at);
      at += 4;
      values.push(length === -1 ? null : parse(bytes.toString("utf8", at, at + length)));
      if (length !== -1) at += length;
    }
    return asArrays ? values : Object.fromEntries(fields.map(({ name }, index) => [name, values[index]]));
  };
}

function mayCompile(): boolean {
  try {
    // oxlint-disable-next-line no-implied-eval -- finds out whether it is forbidden
    return typeof Buffer.prototype.utf8Slice === "function" && new Function("return true")() === true;
  } catch {
    return false;
  }
}

declare global {
  interface Buffer {
    /** As `toString("utf8", …)`, without its checks. */
    utf8Slice(start: number, end: number): string;
  }
}
