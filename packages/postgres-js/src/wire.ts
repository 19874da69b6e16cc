/**
 * What the protocol says and postgres.js keeps to itself: the state of the transaction, which process serves the
 * connection, how far a statement got, and the server's last words.
 *
 * It listens beside the driver, in front of it: when the driver hears of the end of a statement, it is known here.
 */
import type { DriverNotification, TransactionStatus } from "@breakwater/core";
import { Frames } from "./frames.ts";
import type { Link } from "./types.ts";

const code = (letter: string): number => letter.charCodeAt(0);
const READY = code("Z");
const COMPLETE = code("C");
const EMPTY = code("I");
const ROWS = code("T");
const BOUND = code("2");
const ERROR = code("E");
const KEY = code("K");
const HEARD = code("A");
const KEPT: ReadonlySet<number> = new Set([READY, COMPLETE, ERROR, KEY, HEARD]);

/** Client's messages: each Query and each Sync is answered with one ReadyForQuery. */
const QUERY = code("Q");
const SYNC = code("S");
const EXECUTE = code("E");
const NONE: ReadonlySet<number> = new Set();

const STATUS: Readonly<Record<string, TransactionStatus>> = { I: "idle", T: "open", E: "failed" };

/** Names of an error's fields, as postgres.js has them (documentation, 54.8). */
const FIELDS: Readonly<Record<string, string>> = {
  S: "severity_local",
  V: "severity",
  C: "code",
  M: "message",
  D: "detail",
  H: "hint",
  W: "where",
  P: "position",
  p: "internal_position",
  q: "internal_query",
  s: "schema_name",
  t: "table_name",
  c: "column_name",
  d: "data type_name",
  n: "constraint_name",
  F: "file",
  L: "line",
  R: "routine",
};

/** How one statement of a text ended. */
export interface Tag {
  /** The command as the server names it; empty for an empty text. */
  readonly command: string;
  readonly count: number | null;
  /** Whether it has columns. */
  readonly hasRows: boolean;
}

export class Wire {
  /** As the server last said, between statements. */
  #status: TransactionStatus = "unknown";
  // What the server still has to say that it is ready for; the start is answered in the same way.
  #owed = 1;
  #rowsDescribed = false;
  #tags: Tag[] = [];
  #waiting: (() => void)[] = [];
  readonly #listeners = new Set<(notification: DriverNotification) => void>();
  /** Executions that have been written since `begin`. */
  executions = 0;
  /** Errors of the server since `begin`. */
  errors = 0;
  /** Whether the server has begun to carry out what was sent since `begin`. */
  bound = false;
  /** The server's last words on this connection. */
  fatal: Readonly<Record<string, string>> | undefined;
  /** What a request to cancel must name. */
  key: Buffer | undefined;
  /** What hears the link, in front of the driver. */
  readonly listener: (chunk: Buffer) => void;

  constructor(link: Link) {
    const outward = new Frames(NONE, (type) => this.#written(type), true);
    const inward = new Frames(KEPT, (type, body) => this.#read(type, body));
    const { write } = link as { write: (...given: unknown[]) => boolean };
    (link as { write: unknown }).write = (...given: unknown[]): boolean => {
      if (typeof given[0] !== "string") outward.take(given[0] as Buffer);
      return write.apply(link, given);
    };
    this.listener = (chunk) => inward.take(chunk);
    link.on("data", this.listener);
    link.resume();
  }

  /** A statement of ours begins. */
  begin(): void {
    this.#tags = [];
    this.#rowsDescribed = false;
    this.executions = 0;
    this.errors = 0;
    this.bound = false;
  }

  get status(): TransactionStatus {
    return this.#owed > 0 ? "unknown" : this.#status;
  }

  /** How the statements since `begin` ended, in order. */
  get tags(): readonly Tag[] {
    return this.#tags;
  }

  get ready(): boolean {
    return this.#owed === 0;
  }

  /** Calls back once, when the server is ready for the next statement. */
  whenReady(then: () => void): void {
    if (this.ready) then();
    else this.#waiting.push(then);
  }

  /** A Sync that was written comes to nothing: the server throws it away while it waits for the rows of a COPY. */
  ignoreSync(): void {
    this.#owed = Math.max(0, this.#owed - 1);
  }

  /** Hears notifications until the returned function is called. */
  onNotification(heard: (notification: DriverNotification) => void): () => void {
    this.#listeners.add(heard);
    return () => void this.#listeners.delete(heard);
  }

  #written(type: number): void {
    if (type === QUERY || type === SYNC) this.#owed += 1;
    if (type === QUERY || type === EXECUTE) this.executions += 1;
  }

  #read(type: number, body: Buffer): void {
    if (type === READY) {
      this.#status = STATUS[body.toString("latin1", 0, 1)] ?? "unknown";
      this.#owed = Math.max(0, this.#owed - 1);
      if (this.#owed > 0) return;
      for (const then of this.#waiting.splice(0)) then();
    } else if (type === COMPLETE) {
      this.#ended(body.toString("utf8", 0, body.length - 1));
    } else if (type === EMPTY) this.#ended("");
    else if (type === ROWS) this.#rowsDescribed = true;
    else if (type === BOUND) this.bound = true;
    else if (type === ERROR) {
      this.errors += 1;
      const fields = errorFields(body);
      const severity = fields["severity"] ?? fields["severity_local"];
      if (severity === "FATAL" || severity === "PANIC") this.fatal = fields;
    } else if (type === KEY) this.key = Buffer.from(body);
    else if (type === HEARD) this.#notified(body);
  }

  #ended(tag: string): void {
    const [, command = "", count] = /^(.*?)((?: \d+)*)$/.exec(tag) ?? [];
    const number = count === undefined || count === "" ? null : Number(count.slice(count.lastIndexOf(" ") + 1));
    this.#tags.push({ command, count: number, hasRows: this.#rowsDescribed });
    this.#rowsDescribed = false;
  }

  #notified(body: Buffer): void {
    const [channel = "", payload = ""] = body.toString("utf8", 4).split("\0");
    const notification = { channel, payload, processId: body.readInt32BE(0) };
    for (const heard of this.#listeners) heard(notification);
  }
}

/** The fields of an ErrorResponse. */
export function errorFields(body: Buffer): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (const field of body.toString("utf8").split("\0")) {
    const name = FIELDS[field.slice(0, 1)];
    if (name !== undefined) fields[name] = field.slice(1);
  }
  return fields;
}
