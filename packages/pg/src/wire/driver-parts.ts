/**
 * Parts of `pg` that are used as they are, so that values, errors and descriptions are the same as if `pg` had made them.
 */
import { EventEmitter } from "node:events";
import pg from "pg";

/** Describes one column: `pg`'s own class. */
export interface WireField {
  readonly name: string;
  readonly dataTypeID: number;
  readonly format: string;
}

/** Who knows how values are read: a client of `pg`, or a statement's own `types`. */
export interface Types {
  getTypeParser(type: number, format: string): (text: string) => unknown;
}

/** What a statement answers: `pg`'s own class. */
export interface WireResult {
  rows: unknown[];
  fields: readonly WireField[];
  rowCount: number | null;
  command: string | null;
  oid: number | null;
}

/** Makes an empty result. */
export const Result: new (rowMode: string | undefined, types: Types | undefined) => WireResult = pg.Result as never;

interface Decoder extends EventEmitter {
  attachListeners(stream: EventEmitter): void;
}

/** The text or the bytes that `pg` sends for a value. */
export const prepareValue: (value: unknown) => string | Uint8Array | null = findPrepareValue();

/** `pg` hands its own function to whoever sends the message. */
function findPrepareValue(): (value: unknown) => string | Uint8Array | null {
  let found: unknown;
  const query = new pg.Query({ text: "", values: [1] }) as unknown as { prepare(connection: object): void };
  query.prepare({
    parsedStatements: {},
    submittedNamedStatements: {},
    parse: () => undefined,
    bind: (message: { readonly valueMapper: unknown }) => {
      found = message.valueMapper;
    },
    describe: () => undefined,
    execute: () => undefined,
    flush: () => undefined,
    sync: () => undefined,
  });
  return found as (value: unknown) => string | Uint8Array | null;
}

const bytes = new EventEmitter();
// A connection without a link, of which only the reading of messages is used.
const decoder = new (pg.Connection as unknown as new (config: object) => Decoder)({ stream: bytes });
decoder.attachListeners(bytes);

/** Reads one whole message that describes columns. */
export function readFields(message: Buffer): readonly WireField[] {
  return (decoded("rowDescription", message) as { readonly fields: readonly WireField[] }).fields;
}

/** Reads one whole message that tells an error. */
export function readError(message: Buffer): Error {
  return decoded("errorMessage", message) as Error;
}

function decoded(name: string, message: Buffer): unknown {
  let found: unknown;
  decoder.once(name, (made: unknown) => {
    found = made;
  });
  bytes.emit("data", message);
  if (found === undefined) {
    decoder.removeAllListeners(name);
    throw new Error("received a message that pg cannot read");
  }
  return found;
}
