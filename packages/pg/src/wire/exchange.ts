/**
 * One statement on its way to the server and back.
 */
import type { QueryResult, Statement, StatementReceiver } from "@breakwater/core";
import { readError, readFields, Result, type Types } from "./driver-parts.ts";
import { type MakeRow, Plan } from "./plan.ts";
import type { Prepared } from "./prepared.ts";
import type { TextInfo } from "./texts.ts";

/** Tags of commands by their first letter and their length, so that none has to be read. */
const COMMANDS: readonly string[] = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"];

/**
 * One of several statements that are sent together, of which the first may begin a transaction: more follow before the
 * Sync that ends them, or it is the last. `own` goes by the simple protocol, and is ended by itself.
 */
export type Group = "more" | "last" | "own";

export class Exchange {
  readonly statement: Statement;
  readonly info: TextInfo;
  readonly receiver: StatementReceiver;
  readonly group: Group | undefined;
  /** Behind it on the same connection. */
  next: Exchange | undefined;
  /** When it was sent. */
  sentAt = 0;
  /** What the server knows it by; undefined when it was sent without a name. */
  prepared: Prepared | undefined;
  /** It relies on what was prepared before, with an earlier use. */
  reused = false;
  /** The server has bound its parameters: it has begun, or is about to, to carry it out. */
  begun = false;
  /** What went wrong; told once the server is ready for the next one. */
  error: unknown;
  /** It has been sent a second time, since what was prepared for it was of no use. */
  healed = false;
  #plan: Plan | undefined;
  #make: MakeRow | undefined;
  #rows: unknown[] = [];
  #command: string | null = null;
  #rowCount: number | null = null;
  #oid: number | null = null;

  constructor(statement: Statement, info: TextInfo, receiver: StatementReceiver, group: Group | undefined) {
    this.group = group;
    this.statement = statement;
    this.info = info;
    this.receiver = receiver;
  }

  /** To be sent once more. */
  again(): void {
    this.healed = true;
    this.error = undefined;
    this.begun = false;
    this.#plan = undefined;
    this.#make = undefined;
    this.#rows = [];
  }

  described(message: Buffer): void {
    const { prepared } = this;
    if (prepared?.description?.equals(message) === true) return;
    this.#plan = new Plan(readFields(message));
    if (prepared === undefined) return;
    prepared.plan = this.#plan;
    // The bytes are only lent.
    prepared.description = Buffer.from(message);
  }

  /** The server says that there will be no rows. */
  withoutRows(): void {
    if (this.prepared === undefined) return;
    this.prepared.plan = NO_COLUMNS;
    this.prepared.description = undefined;
  }

  /** A row begins at `at`, with the number of its columns. A parser that throws makes the statement fail, as with `pg`. */
  row(bytes: Buffer, at: number, types: Types): void {
    if (this.error !== undefined) return;
    try {
      this.#make ??= this.#maker(types);
      this.#rows.push(this.#make(bytes, at + 2));
    } catch (error) {
      this.error = error;
    }
  }

  #maker(types: Types): MakeRow {
    const plan = (this.#plan ??= this.prepared?.plan);
    if (plan === undefined) throw new Error("received a row without a description");
    return plan.maker(this.#types(types), this.statement.rowMode === "array");
  }

  #types(types: Types): Types {
    return (this.statement as { readonly types?: Types }).types ?? types;
  }

  /** The command's tag lies between `at` and `end`: its name, and one number or two. */
  completed(bytes: Buffer, at: number, end: number): void {
    let space = at;
    while (space < end && bytes[space] !== 0x20) space += 1;
    this.#command = commandOf(bytes, at, space);
    let first: number | null = null;
    let second: number | null = null;
    for (let index = space; index < end; index += 1) {
      const digit = bytes[index]! - 0x30;
      if (digit === -0x10) {
        if (first !== null) second = 0;
        else first = 0;
      } else if (digit < 0 || digit > 9) return;
      else if (second !== null) second = second * 10 + digit;
      else first = (first ?? 0) * 10 + digit;
    }
    this.#rowCount = second ?? first;
    this.#oid = second === null ? null : first;
  }

  wentWrong(message: Buffer): void {
    this.error ??= readError(message);
  }

  /** Tells whoever waits how it ended. */
  end(types: Types): void {
    if (this.error !== undefined) this.receiver.failed(this.error);
    else this.receiver.answered(this.#result(types));
  }

  #result(types: Types): QueryResult {
    const plan = this.#plan ?? this.prepared?.plan;
    const result = new Result(this.statement.rowMode, this.#types(types));
    result.rows = this.#rows;
    result.command = this.#command;
    result.rowCount = this.#rowCount;
    result.oid = this.#oid;
    if (plan !== undefined) result.fields = plan.fields.slice();
    return result as unknown as QueryResult;
  }
}

const NO_COLUMNS = new Plan([]);

function commandOf(bytes: Buffer, at: number, end: number): string {
  for (const command of COMMANDS) {
    if (command.length === end - at && command.charCodeAt(0) === bytes[at]) return command;
  }
  return bytes.latin1Slice(at, end);
}

declare global {
  interface Buffer {
    /** As `toString("latin1", …)`, without its checks. */
    latin1Slice(start: number, end: number): string;
  }
}
