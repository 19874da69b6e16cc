/**
 * Messages of a client in PostgreSQL's protocol (version 3, documentation 54.7).
 */

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(4 + parts.reduce((sum, part) => sum + part.length, 0), 1);
  return Buffer.concat([head, ...parts]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value, 0);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0, 0);
  return bytes;
}

function string(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

const NULL: Buffer = int32(-1);

/** One text by the simple protocol. */
export function query(text: string): Buffer {
  return message("Q", string(text));
}

/** Makes a text known under no name, with the types of its parameters; 0 leaves one to the server. */
export function parse(text: string, types: readonly number[]): Buffer {
  return message("P", string(""), string(text), int16(types.length), ...types.map(int32));
}

/** Asks for the parameters and columns of the text under no name. */
export const describe: Buffer = message("D", Buffer.from("S"), string(""));

/** Binds the text under no name to values that are texts already. */
export function bind(portal: string, values: readonly (string | null)[]): Buffer {
  const parts = [string(portal), string(""), int16(0), int16(values.length)];
  for (const value of values) {
    if (value === null) {
      parts.push(NULL);
      continue;
    }
    const bytes = Buffer.from(value);
    parts.push(int32(bytes.length), bytes);
  }
  return message("B", ...parts, int16(0));
}

/** Carries out a portal; `rows` is the most that it brings, 0 for all. */
export function execute(portal: string, rows: number): Buffer {
  return message("E", string(portal), int32(rows));
}

/** Ends a portal. */
export function closePortal(portal: string): Buffer {
  return message("C", Buffer.from("P"), string(portal));
}

/** Asks the server to answer what it has had. */
export const flush: Buffer = message("H");

/** Ends a flight: what stands before it is done, or undone. */
export const sync: Buffer = message("S");

/** A piece of what is copied. */
export function copyData(piece: Buffer): Buffer {
  return message("d", piece);
}

/** The end of what is copied. */
export const copyDone: Buffer = message("c");

/** There is no more of what is copied, and none of it is to stay. */
export function copyFail(why: string): Buffer {
  return message("f", string(why));
}
