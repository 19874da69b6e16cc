/**
 * A portal of the server that is read a part at a time, with a Sync behind each: inside a transaction a portal with a name
 * outlives it, and other statements may run in between. A cursor of postgres.js would have its connection to itself.
 */
import type { DriverCursor, Statement } from "@breakwater/core";
import type { Party } from "./exchange.ts";
import { Flight } from "./flight.ts";
import * as messages from "./messages.ts";
import type { Link, SqlInstance } from "./types.ts";
import { type Column, rowOf } from "./values.ts";
import type { Wire } from "./wire.ts";

/** The connection of a cursor. */
export interface CursorHost {
  readonly sql: SqlInstance;
  readonly link: Link;
  readonly wire: Wire;
  /** Runs one exchange. */
  readonly exchange: <P extends Party>(make: () => P) => Promise<P>;
}

let made = 0;

export class PortalCursor implements DriverCursor {
  readonly #host: CursorHost;
  readonly #statement: Statement;
  readonly #portal: string = `breakwater_${(made += 1)}`;
  #columns: readonly Column[] | undefined;

  constructor(host: CursorHost, statement: Statement) {
    this.#host = host;
    this.#statement = statement;
  }

  async read(count: number): Promise<{ readonly rows: readonly unknown[]; readonly done: boolean }> {
    const { sql, link, wire, exchange } = this.#host;
    const { rowMode } = this.#statement;
    const columns = this.#columns;
    if (columns === undefined) {
      const portal = { name: this.#portal, rows: count };
      const flight = await exchange(() => new Flight({ sql, link, wire, statements: [this.#statement], portal }));
      this.#columns = flight.columns;
      return { rows: flight.results[0]?.rows ?? [], done: flight.done };
    }
    const bytes = Buffer.concat([messages.execute(this.#portal, count), messages.sync]);
    const read = (body: Buffer): unknown => rowOf(sql, columns, body, rowMode === "array");
    return await exchange(() => new Part(link, bytes, read));
  }

  async close(): Promise<void> {
    const { link, wire, exchange } = this.#host;
    // What has failed is gone with its transaction, and so is its portal.
    if (this.#columns === undefined || wire.status !== "open") return;
    const bytes = Buffer.concat([messages.closePortal(this.#portal), messages.sync]);
    await exchange(() => new Part(link, bytes, () => undefined));
  }
}

const ROW = "D".charCodeAt(0);
const SUSPENDED = "s".charCodeAt(0);

class Part implements Party {
  readonly #link: Link;
  readonly #bytes: Buffer;
  readonly #read: (body: Buffer) => unknown;
  #unread: { readonly error: unknown } | undefined;
  readonly rows: unknown[] = [];
  done = true;

  constructor(link: Link, bytes: Buffer, read: (body: Buffer) => unknown) {
    this.#link = link;
    this.#bytes = bytes;
    this.#read = read;
  }

  begin(): void {
    this.#link.write(this.#bytes);
  }

  heard(type: number, body: Buffer): void {
    if (type === SUSPENDED) this.done = false;
    if (type !== ROW || this.#unread !== undefined) return;
    try {
      this.rows.push(this.#read(body));
    } catch (error) {
      this.#unread = { error };
    }
  }

  /** @throws the error of a row that could not be read. */
  check(): void {
    if (this.#unread !== undefined) throw this.#unread.error;
  }
}
