/**
 * Many statements in one flight: their messages, and one Sync behind them all.
 *
 * The server carries them out in order, up to the first that fails; outside a transaction, what stands before one Sync is
 * a transaction (PostgreSQL documentation, 54.2.4, pipelining). postgres.js makes texts of values by the types that the
 * server names for them: so where a text has such values the flight stops until they are known, once for each text in a row.
 */
import { noteIndex, type QueryResult, type Statement } from "@breakwater/core";
import type { Party } from "./exchange.ts";
import * as messages from "./messages.ts";
import type { Link, SqlInstance } from "./types.ts";
import { type Column, columnsOf, rowOf, textsOf, type Values, valuesOf } from "./values.ts";
import type { Wire } from "./wire.ts";

const code = (letter: string): number => letter.charCodeAt(0);
const PARAMETERS = code("t");
const COLUMNS = code("T");
const NO_COLUMNS = code("n");
const ROW = code("D");
const COMPLETE = code("C");
const EMPTY = code("I");
const SUSPENDED = code("s");
const COPY_IN = code("G");

/** A text as the server has read it: for one statement, or for several in a row. */
interface Parsed {
  readonly text: string;
  readonly inferred: readonly number[];
  types: readonly number[] | undefined;
  columns: readonly Column[];
}

/** What a flight is made of. */
export interface FlightOptions {
  readonly sql: SqlInstance;
  readonly link: Link;
  readonly wire: Wire;
  readonly statements: readonly Statement[];
  /** Leaves out the rows. @default false */
  readonly countOnly?: boolean;
  /** Leaves a portal of this name, which has brought the first rows only. */
  readonly portal?: { readonly name: string; readonly rows: number };
}

export class Flight implements Party {
  readonly #options: FlightOptions;
  readonly #values: readonly Values[];
  readonly #parsed: Parsed[] = [];
  // Texts that the server has been asked to describe, in order.
  readonly #described: Parsed[] = [];
  #out: Buffer[] = [];
  // How many have been made ready, how many of them are under way, how many the server has ended; whether the Sync has gone.
  #sent = 0;
  #flown = 0;
  #at = 0;
  #synced = false;
  #rows: unknown[] = [];
  #unread: { readonly error: unknown; readonly at: number } | undefined;
  /** An error of a value, which the server has not heard of. */
  #unsent: { readonly error: unknown } | undefined;
  readonly results: QueryResult[] = [];
  /** Whether the portal has brought its last row. */
  done = true;

  /** @throws whatever the values throw that cannot be sent; nothing has been sent then. */
  constructor(options: FlightOptions) {
    this.#options = options;
    this.#values = options.statements.map(({ values = [] }, index) =>
      indexed(index, () => {
        if (values.length > MAX_VALUES) throw new RangeError(`a statement takes at most ${MAX_VALUES} values`);
        return valuesOf(options.sql, values);
      }),
    );
  }

  get undone(): { readonly error: unknown } | undefined {
    return this.#unsent;
  }

  /** The columns of the last statement, for those who read on. */
  get columns(): readonly Column[] {
    return this.#parsed.at(-1)?.columns ?? [];
  }

  begin(): void {
    this.#advance();
  }

  heard(type: number, body: Buffer): void {
    const now = this.#parsed[this.#at];
    if (type === PARAMETERS) this.#learn(body);
    else if (type === COLUMNS) this.#described.shift()!.columns = columnsOf(this.#options.sql, body);
    else if (type === NO_COLUMNS) this.#described.shift();
    else if (type === ROW && now !== undefined && this.#options.countOnly !== true) this.#row(now, body);
    else if (type === COMPLETE || type === EMPTY) this.#ended();
    else if (type === SUSPENDED) {
      this.done = false;
      this.#ended();
    } else if (type === COPY_IN) this.#refuseCopy();
  }

  refused(): void {
    this.#sync();
  }

  /** Says which statement an error came from. */
  failed(error: unknown): unknown {
    const unsent = this.#at === this.#flown ? this.#unsent : undefined;
    if (unsent !== undefined) return unsent.error;
    noteIndex(error, this.#at);
    return error;
  }

  /** @throws the error of a row or value that could not be read or sent. */
  check(): void {
    if (this.#unsent !== undefined) throw this.#unsent.error;
    if (this.#unread === undefined) return;
    noteIndex(this.#unread.error, this.#unread.at);
    throw this.#unread.error;
  }

  /** Sends as much as can be sent. */
  #advance(): void {
    const { statements } = this.#options;
    while (!this.#synced && this.#sent < statements.length && this.#send(this.#sent)) this.#sent += 1;
    if (this.#sent === statements.length) this.#sync();
    else if (!this.#synced && this.#out.length > 0) this.#out.push(messages.flush);
    this.#write();
  }

  /** Sends one; false when the types of its values are not known yet. */
  #send(index: number): boolean {
    const { sql, statements, portal } = this.#options;
    const values = this.#values[index] as Values;
    const { text } = statements[index] as Statement;
    let parsed = this.#parsed[index] ?? this.#parsed[index - 1];
    if (parsed === undefined || parsed.text !== text || !fits(parsed, values)) {
      parsed = { text, inferred: values.types, types: undefined, columns: [] };
      this.#described.push(parsed);
      this.#out.push(messages.parse(text, values.types), messages.describe);
    }
    this.#parsed[index] = parsed;
    const types = parsed.types ?? (parsed.inferred.includes(0) ? undefined : parsed.inferred);
    if (types === undefined) return false;
    try {
      this.#out.push(messages.bind(portal?.name ?? "", textsOf(sql, values, types)));
    } catch (error) {
      noteIndex(error, index);
      this.#unsent = { error };
      this.#out = [];
      // What is under way already is undone by a portal that there is not.
      if (this.#flown > 0) this.#out.push(messages.execute(NO_PORTAL, 0));
      this.#sync();
      return false;
    }
    this.#out.push(messages.execute(portal?.name ?? "", portal?.rows ?? 0));
    return true;
  }

  #sync(): void {
    if (this.#synced) return;
    this.#synced = true;
    this.#out.push(messages.sync);
    this.#write();
  }

  #write(): void {
    if (this.#out.length === 0) return;
    const bytes = Buffer.concat(this.#out);
    this.#out = [];
    if (this.#unsent === undefined) this.#flown = this.#sent;
    this.#options.link.write(bytes);
  }

  #learn(body: Buffer): void {
    const parsed = this.#described[0] as Parsed;
    // What was inferred goes first, as with postgres.js.
    parsed.types = parsed.inferred.map(
      (type, at) => type || (2 + at * 4 < body.length ? body.readUInt32BE(2 + at * 4) : 0),
    );
    if (this.#parsed[this.#sent] === parsed) this.#advance();
  }

  #row(parsed: Parsed, body: Buffer): void {
    if (this.#unread !== undefined) return;
    const asArray = this.#options.statements[this.#at]?.rowMode === "array";
    try {
      this.#rows.push(rowOf(this.#options.sql, parsed.columns, body, asArray));
    } catch (error) {
      this.#unread = { error, at: this.#at };
    }
  }

  #ended(): void {
    const { wire } = this.#options;
    const { command = "", count = null } = wire.tags[this.#at] ?? {};
    const columns = this.#parsed[this.#at]?.columns ?? [];
    this.results.push({
      rows: this.#rows as QueryResult["rows"],
      rowCount: count,
      command,
      fields: columns.map(({ name, type }) => ({ name, dataTypeID: type })),
    });
    this.#rows = [];
    this.#at += 1;
  }

  /**
   * Nobody has rows for it. A server that waits for rows throws away the Sync that follows; where another statement stands
   * before that Sync it has met that one instead, and the Sync is still to come (documentation, 54.2.6, COPY operations).
   */
  #refuseCopy(): void {
    const { link, wire, statements } = this.#options;
    link.write(messages.copyFail("there are no rows for COPY"));
    if (!this.#synced || this.#at < statements.length - 1) return;
    wire.ignoreSync();
    link.write(messages.sync);
  }
}

/** The protocol counts them in two bytes. */
const MAX_VALUES = 65_535;

const NO_PORTAL = "breakwater_undo";

/** Whether values go with a text as it was read: nothing goes with every type. */
function fits({ inferred }: Parsed, { values, types }: Values): boolean {
  return types.length === inferred.length && types.every((type, at) => type === inferred[at] || values[at] === null);
}

function indexed<T>(index: number, make: () => T): T {
  try {
    return make();
  } catch (error) {
    noteIndex(error, index);
    throw error;
  }
}
