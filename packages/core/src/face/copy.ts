/**
 * COPY: rows in bulk, in and out, as the database's own format has them.
 */
import type { Dialect } from "../contract/dialect.ts";
import { UsageError } from "../contract/errors.ts";
import type { Access } from "../contract/operation.ts";
import { flag, knownOptions, oneOf } from "../contract/options.ts";
import type { Connection } from "../contract/pool.ts";
import { unable } from "./row-stream.ts";
import type { Pieces, Source } from "./source.ts";
import { sql } from "./sql.ts";

/** A table to be filled or read, where the whole text of COPY is not given. */
export interface CopyTable {
  /** Its name; with its schema, as a list. */
  readonly table: string | readonly [string, ...string[]];
  /** Which columns, in which order. @default all, in the table's order */
  readonly columns?: readonly string[];
  /** @default "text" */
  readonly format?: "text" | "csv" | "binary";
  /** With `csv`: the first line holds the names of the columns. @default false */
  readonly header?: boolean;
}

/** What is sent, in the format of the COPY: in pieces of any size. */
export type CopySource = Source<Uint8Array | string>;

/** The text of a COPY. @throws OptionError, UsageError, TypeError when it cannot be made. */
export function copyText(pool: string, target: string | CopyTable, direction: "FROM STDIN" | "TO STDOUT"): string {
  if (typeof target === "string") {
    if (/\bcopy\b/i.test(target)) return target;
    throw new UsageError(pool, "a text given to copy must be a COPY statement; a table is given as { table }");
  }
  const { table, columns, format, header } = knownOptions("copy", target, ["table", "columns", "format", "header"]);
  const name = typeof table === "string" ? sql.identifier(table) : sql.identifier(...table);
  const list = columns === undefined ? sql.empty : sql` (${sql.join(columns.map((column) => sql.identifier(column)))})`;
  const chosen = format === undefined ? "text" : oneOf("copy.format", format, ["text", "csv", "binary"]);
  const heading = header !== undefined && flag("copy.header", header) ? ", HEADER" : "";
  return sql`COPY ${name}${list} ${sql.unsafe(direction)} (FORMAT ${sql.unsafe(chosen + heading)})`.text;
}

/** COPY of a query, and COPY of a table, to the client. */
const OF_QUERY = /^\s*copy\s*\(([^]*)\)\s*to\s+stdout\b/i;
const OF_TABLE = /^\s*copy\s[^();]*(?:\([^();]*\)\s*)?to\s+stdout\b/i;

/** Whether a COPY out only reads: of a table it does, of a query as that does. */
export function copyAccess(target: string | CopyTable, dialect: Dialect): Access {
  if (typeof target !== "string" || OF_TABLE.test(target)) return "read";
  const [, query] = OF_QUERY.exec(target) ?? [];
  return query !== undefined && dialect.classify(query) === "read" ? "read" : "write";
}

/** A text or a few bytes are a source of one piece. */
export function piecesOf(source: CopySource | string | Uint8Array): CopySource {
  return typeof source === "string" || ArrayBuffer.isView(source) ? [source] : source;
}

/** Sends what `pieces` brings. Resolves to the number of rows; rejects with the source's own error when it fails. */
export async function copyInto(
  connection: Connection,
  text: string,
  pieces: Pieces<Uint8Array | string>,
  name: string,
): Promise<number> {
  if (connection.work === undefined) throw unable(name, "COPY");
  let failed: { readonly error: unknown } | undefined;
  const watched = async function* (): AsyncGenerator<Uint8Array | string, void, undefined> {
    try {
      for await (const piece of pieces) {
        if (typeof piece !== "string" && !ArrayBuffer.isView(piece)) {
          throw new UsageError(name, "what is copied must come as texts or bytes");
        }
        yield piece;
      }
    } catch (error) {
      failed = { error };
      throw error;
    }
  };
  const rows = await connection.work({
    text,
    unlimited: true,
    run: async (driver) => {
      if (driver.copyFrom === undefined) throw unable(name, "COPY");
      try {
        return await driver.copyFrom(text, watched());
      } catch (error) {
        // What broke is the caller's source: no error of the database, and nobody is to be blamed for it.
        if (failed === undefined || !driver.usable) throw error;
        return undefined;
      }
    },
  });
  if (failed !== undefined) throw failed.error;
  return rows ?? 0;
}

/** Pieces on their way from who sends them, one at a time, to who asks for them. */
export class Handover {
  #waiting: ((piece: Uint8Array | undefined) => void) | undefined;
  #offered: { readonly piece: Uint8Array; readonly taken: () => void } | undefined;
  #failed: { readonly error: unknown } | undefined;
  #fail: ((error: unknown) => void) | undefined;
  #over = false;
  #left = false;
  /** Whether the reader has had anything. */
  begun = false;

  /** Gives the next piece; resolves when there is room for another. Once nobody reads any more, it goes nowhere. */
  readonly put = (piece: Uint8Array): Promise<void> | undefined => {
    if (this.#left) return undefined;
    this.begun = true;
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting(piece);
      return undefined;
    }
    return new Promise((taken) => {
      this.#offered = { piece, taken };
    });
  };

  /** There are no more pieces. */
  end(): void {
    this.#over = true;
    this.#waiting?.(undefined);
  }

  fail(error: unknown): void {
    this.#failed = { error };
    this.#fail?.(error);
  }

  /** Nobody reads any more. */
  leave(): void {
    this.#left = true;
    this.#offered?.taken();
    this.#offered = undefined;
  }

  /** Nobody reads any more, and who does so nevertheless hears why not. */
  refuse(error: unknown): void {
    this.leave();
    this.fail(error);
  }

  /** The next piece; undefined after the last. */
  next(): Promise<Uint8Array | undefined> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed.error);
    const offered = this.#offered;
    if (offered !== undefined) {
      this.#offered = undefined;
      offered.taken();
      return Promise.resolve(offered.piece);
    }
    if (this.#over) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#waiting = resolve;
      this.#fail = reject;
    });
  }
}

/** Runs a COPY out, into the hands of whoever reads. Resolves to the number of rows. */
export async function copyOut(connection: Connection, text: string, into: Handover, name: string): Promise<number> {
  if (connection.work === undefined) throw unable(name, "COPY");
  return connection.work({
    text,
    unlimited: true,
    run: async (driver) => {
      if (driver.copyTo === undefined) throw unable(name, "COPY");
      return driver.copyTo(text, into.put);
    },
  });
}

/** The pieces, as they are read. `begin` starts the copying; `leave` is called when the reader goes before the end. */
export async function* piecesOut(
  begin: (into: Handover) => Promise<unknown>,
  leave: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const into = new Handover();
  const copying = begin(into);
  copying.then(
    () => into.end(),
    (error: unknown) => into.fail(error),
  );
  let ended = false;
  try {
    for (let piece = await into.next(); piece !== undefined; piece = await into.next()) yield piece;
    ended = true;
    await copying;
  } catch (error) {
    ended = true;
    throw error;
  } finally {
    if (!ended) {
      into.leave();
      leave();
      // The connection is back, or gone, when the loop is left.
      await copying.catch(() => undefined);
    }
  }
}
