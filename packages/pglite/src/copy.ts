/**
 * COPY by way of PGlite's file for it: what is copied is in memory as a whole, here as at the database.
 */

/** What PGlite calls the bytes that come or go with a statement. */
const BLOB = "'/dev/blob'";

/** How much is handed on at once, in bytes. */
const PIECE_BYTES = 65_536;

/** Quoted names and texts, comments, and the words that are looked for. */
const TOKENS =
  /"(?:[^"]|"")*"|'(?:[^']|'')*'|\$(\w*)\$[^]*?\$\1\$|--[^\n]*|\/\*[^]*?\*\/|\bcopy\b|\bfrom\s+stdin\b|\bto\s+stdout\b/gi;

/** The text of a COPY that goes by the file. @throws TypeError when it is no COPY in that direction. */
export function throughBlob(text: string, direction: "from" | "to"): string {
  let found = false;
  const changed = text.replace(TOKENS, (token) => {
    if (found || !token.toLowerCase().startsWith(direction)) return token;
    found = true;
    return `${direction.toUpperCase()} ${BLOB}`;
  });
  if (found && /^\s*copy\b/i.test(text)) return changed;
  throw new TypeError("the statement was no COPY in the direction that was asked for");
}

/** Whether a text waits for rows to copy. PGlite would, and with it the whole process, for ever: none can come. */
export function waitsForRows(text: string): boolean {
  if (!/\bstdin\b/i.test(text)) return false;
  const words = (text.match(TOKENS) ?? []).map((token) => token.toLowerCase());
  const copy = words.indexOf("copy");
  return copy !== -1 && words.slice(copy).some((word) => /^from\s/.test(word));
}

/** Everything that a source brings. */
export async function gathered(source: AsyncIterable<Uint8Array | string>): Promise<Blob> {
  const pieces: (string | Uint8Array<ArrayBuffer>)[] = [];
  // What it brings may be its own memory, used again for the next piece.
  for await (const piece of source) pieces.push(typeof piece === "string" ? piece : new Uint8Array(piece));
  return new Blob(pieces);
}

/** Hands on what was copied, a piece at a time. */
export async function handOn(blob: Blob, take: (chunk: Uint8Array) => Promise<void> | undefined): Promise<void> {
  for (let at = 0; at < blob.size; at += PIECE_BYTES) {
    await take(new Uint8Array(await blob.slice(at, at + PIECE_BYTES).arrayBuffer()));
  }
}
