/**
 * What a connection of postgres.js can do besides single statements: by the protocol itself, over its link.
 */
import type { DriverAbilities, DriverCursor, DriverNotification, QueryResult, Statement } from "@breakwater/core";
import { copied, CopyIn, CopyOut } from "./copy.ts";
import { PortalCursor } from "./cursor.ts";
import type { Party } from "./exchange.ts";
import { Flight } from "./flight.ts";
import type { Prepared } from "./prepared.ts";
import type { Link, ReadOptions, SqlInstance } from "./types.ts";
import type { Wire } from "./wire.ts";

/** What a connection is made of. */
export interface Parts {
  readonly sql: SqlInstance;
  readonly link: Link;
  readonly wire: Wire;
  readonly prepared: Prepared;
  readonly options: ReadOptions;
  /** Whether it keeps no process alive while nobody holds it. */
  readonly background: boolean;
}

export abstract class PostgresJsAbilities implements DriverAbilities {
  protected readonly parts: Parts;
  protected readonly lostListeners: Set<(error: unknown) => void> = new Set();

  constructor(parts: Parts) {
    this.parts = parts;
  }

  /** Runs one exchange with the server. `extended`: BindComplete tells whether the server has come to it. */
  protected abstract exchange<P extends Party>(make: () => P, extended: boolean): Promise<P>;

  async queryAll(statements: readonly Statement[]): Promise<readonly QueryResult[]> {
    const { results } = await this.exchange(() => new Flight({ ...this.parts, statements }), true);
    return results;
  }

  async executeMany(text: string, rows: readonly (readonly unknown[])[]): Promise<number> {
    const statements = rows.map((values) => ({ text, values }));
    const { results } = await this.exchange(() => new Flight({ ...this.parts, statements, countOnly: true }), true);
    return results.reduce((sum, { rowCount }) => sum + (rowCount ?? 0), 0);
  }

  cursor(statement: Statement): DriverCursor {
    const { sql, link, wire } = this.parts;
    return new PortalCursor({ sql, link, wire, exchange: (make) => this.exchange(make, true) }, statement);
  }

  async copyFrom(text: string, source: AsyncIterable<Uint8Array | string>): Promise<number> {
    const { link, wire } = this.parts;
    const { begun } = await this.exchange(() => new CopyIn(link, text, source), false);
    return copied(wire, begun);
  }

  async copyTo(text: string, take: (chunk: Uint8Array) => Promise<void> | undefined): Promise<number> {
    const { link, wire } = this.parts;
    const copying = await this.exchange(() => new CopyOut(link, text, take), false);
    await copying.rest();
    return copied(wire, copying.begun);
  }

  onNotification(heard: (notification: DriverNotification) => void, lost: (error: unknown) => void): () => void {
    const forget = this.parts.wire.onNotification(heard);
    this.lostListeners.add(lost);
    return () => {
      forget();
      this.lostListeners.delete(lost);
    };
  }
}
