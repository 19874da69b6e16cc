/**
 * Stands between the link of a client that has not connected yet and the client's own reader.
 */
import { EventEmitter } from "node:events";
import type { PgClient } from "../types.ts";
import type { Types } from "./driver-parts.ts";
import { isUntouched, readingSocket } from "./reading-socket.ts";

/** A link, as far as it is used here. */
export interface Stream extends EventEmitter {
  write(bytes: Uint8Array): boolean;
  destroy(error?: Error): void;
  readonly writable: boolean;
}

/** The protocol side of a client, with what is not public. */
type Connection = PgClient["connection"] & {
  attachListeners: (stream: Stream) => void;
  stream?: unknown;
  readonly ssl?: unknown;
};

/** A client with the parts that are not public, and that it has had since 8.0. */
export interface Insides extends PgClient {
  readonly _types: Types;
  readonly connection: Connection;
}

/** What is done with what arrives. */
interface Tap {
  /** Where everything is to be written to. */
  attached(stream: Stream): void;
  /** The server's first word came so long after the link was asked for, in milliseconds. */
  reached(ms: number): void;
  /** Something has come: the first `length` bytes; `lent` when they are gone afterwards. */
  arrived(bytes: Buffer, length: number, lent: boolean): void;
}

/** A client that is made as `pg`'s own, and does nothing with its queries that would not be done with ours. */
export function insidesOf(client: PgClient): Insides | undefined {
  const { connection, connectionParameters, _types, binary, pipeline } = client as {
    readonly connection?: { readonly attachListeners?: unknown };
    readonly connectionParameters?: { readonly query_timeout?: unknown };
    readonly _types?: unknown;
    readonly binary?: unknown;
    readonly pipeline?: unknown;
  };
  if (typeof connection?.attachListeners !== "function" || _types === undefined) return undefined;
  if (binary || pipeline || connectionParameters?.query_timeout) return undefined;
  return client as Insides;
}

/** Returns the way to the client's own reader. `ownStream` when the stream is one that `pg` has made. */
export function tap({ connection }: Insides, into: Tap, ownStream: boolean): (bytes: Buffer) => void {
  const reader = new EventEmitter() as Stream;
  const begun = performance.now();
  let silent = true;
  let attached: Stream | undefined;
  const arrived = (bytes: Buffer, length: number, lent: boolean): void => {
    if (silent) into.reached(performance.now() - begun);
    silent = false;
    try {
      into.arrived(bytes, length, lent);
    } catch (error) {
      const malformed = malformedBy(error);
      if (malformed === undefined) throw error;
      // In the middle of a message nobody knows what the next byte is: the link is lost, and says why.
      attached?.destroy(malformed);
    }
  };
  let listener = (bytes: Buffer): void => arrived(bytes, bytes.length, false);
  // Over TLS the socket below is read by somebody else.
  if (ownStream && !connection.ssl && isUntouched(connection.stream)) {
    const own = readingSocket(arrived);
    connection.stream = own.socket;
    ({ listener } = own);
  }
  const { attachListeners } = connection;
  connection.attachListeners = (stream) => {
    attached = stream;
    into.attached(stream);
    attachListeners.call(connection, reader);
    stream.on("data", listener);
  };
  return (bytes) => void reader.emit("data", bytes);
}

/** Why nothing more can be read, in the words of `pg`; undefined when it is whoever listens that has failed. */
function malformedBy(error: unknown): Error | undefined {
  // Numbers are read past the end of what has come.
  if (error instanceof RangeError) return new Error(`received invalid response: ${error.message}`, { cause: error });
  if (!(error instanceof Error)) return undefined;
  return /^(?:received invalid response|Unknown authenticationOk message type)/.test(error.message) ? error : undefined;
}
