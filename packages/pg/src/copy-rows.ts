/**
 * Rows of values in the text format of COPY (PostgreSQL documentation, COPY, text format).
 */

/** How much is put together before it is passed on, in characters. */
const PIECE_LENGTH = 65_536;

/**
 * Makes of rows of values what `copyFrom` sends: tabs, line ends and backslashes escaped, nothing as `\N`. Dates, bytes,
 * lists and objects become what a parameter of a statement would.
 */
export async function* copyRows(
  rows: Iterable<readonly unknown[]> | AsyncIterable<readonly unknown[]>,
): AsyncGenerator<string, void, undefined> {
  let piece = "";
  for await (const row of rows) {
    if (!Array.isArray(row)) throw new TypeError("copyRows: a row must be an array of values");
    piece += `${row.map(field).join("\t")}\n`;
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

function field(value: unknown): string {
  const text = textOf(value);
  return text === null ? "\\N" : text.replaceAll(/[\\\t\n\r]/g, (character) => ESCAPES[character] as string);
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  if (value instanceof Date) return dateText(value);
  if (ArrayBuffer.isView(value)) {
    return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}`;
  }
  if (Array.isArray(value)) return `{${value.map(element).join(",")}}`;
  return typeof value === "object" ? JSON.stringify(value) : `${value as number | bigint | boolean}`;
}

/** One element of a list, as the database writes lists. */
function element(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(element).join(",")}}`;
  const text = textOf(value);
  return text === null ? "NULL" : `"${text.replaceAll(/[\\"]/g, String.raw`\$&`)}"`;
}

/** With the local time and its offset, as `pg` sends dates: a column without time zone keeps the local time. */
function dateText(date: Date): string {
  if (Number.isNaN(date.getTime())) throw new TypeError("copyRows: a date is none");
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  const local = new Date(date.getTime() + offset * 60_000);
  const year = local.getUTCFullYear();
  // The year before 1 is 1 BC, which dates count as 0.
  const years = String(year > 0 ? year : 1 - year).padStart(4, "0");
  const rest = local.toISOString().slice(-"-01-01T00:00:00.000Z".length, -1);
  return `${years}${rest}${zone}${year > 0 ? "" : " BC"}`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}
