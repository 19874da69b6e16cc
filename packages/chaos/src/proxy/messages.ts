/**
 * Messages of the PostgreSQL protocol, version 3, as far as faults need them.
 *
 * Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol", sections "Message Formats" and "Error and Notice
 * Message Fields".
 */

/** Type bytes; the same byte can mean another message in each direction. */
export const client = {
  query: 0x51, // Q
  parse: 0x50, // P
  bind: 0x42, // B
  describe: 0x44, // D
  execute: 0x45, // E
  close: 0x43, // C
  flush: 0x48, // H
  sync: 0x53, // S
  functionCall: 0x46, // F
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyFail: 0x66, // f
} as const;

export const server = {
  readyForQuery: 0x5a, // Z
  errorResponse: 0x45, // E
  commandComplete: 0x43, // C
  emptyQuery: 0x49, // I
  portalSuspended: 0x73, // s
  copyIn: 0x47, // G
  copyBoth: 0x57, // W
  parameterStatus: 0x53, // S
  noticeResponse: 0x4e, // N
} as const;

/** Codes that stand in the first message where a protocol version would. */
export const startup = { cancel: 80877102, ssl: 80877103, gss: 80877104 } as const;

/** What an injected or refusing server says. */
export interface ServerError {
  readonly severity: "ERROR" | "FATAL";
  /** Five characters, 0-9 and A-Z. */
  readonly sqlstate: string;
  readonly message: string;
}

/** What a server says besides its answer. */
export interface Notice {
  readonly severity: "WARNING" | "NOTICE" | "INFO" | "LOG" | "DEBUG";
  /** Five characters, 0-9 and A-Z. */
  readonly sqlstate: string;
  readonly message: string;
}

export function errorResponse(error: ServerError): Buffer {
  return frame(server.errorResponse, fields(error));
}

export function noticeResponse(notice: Notice): Buffer {
  return frame(server.noticeResponse, fields(notice));
}

/** Tells the value of a setting that the server reports by itself. */
export function parameterStatus(name: string, value: string): Buffer {
  return frame(server.parameterStatus, `${name}\0${value}\0`);
}

function fields({ severity, sqlstate, message }: ServerError | Notice): string {
  return `S${severity}\0V${severity}\0C${sqlstate}\0M${message}\0\0`;
}

export const syncMessage: Buffer = frame(client.sync, "");

/** Named in the statements below, so that the server's error about them can be told from any other. */
export const failureMark = "breakwater_injected_fault";

/** A statement that fails in any state: the server itself then knows that its transaction has failed. */
export const failingQuery: Buffer = frame(client.query, `${failureMark}\0`);
/** The same for the extended protocol: runs a portal that does not exist. */
export const failingExecute: Buffer = frame(client.execute, `${failureMark}\0\0\0\0\0`);

/** The text from `start` up to the next NUL, or up to the end where the message is only known in part. */
export function cString(bytes: Buffer, start: number): string {
  const end = bytes.indexOf(0, start);
  return bytes.toString("utf8", start, end === -1 ? bytes.length : end);
}

function frame(type: number, body: string): Buffer {
  const size = Buffer.byteLength(body);
  const bytes = Buffer.alloc(5 + size);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt32BE(4 + size, 1);
  bytes.write(body, 5);
  return bytes;
}
