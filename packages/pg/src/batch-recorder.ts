/**
 * `pg`'s own encoding and decoding of statements, without its order of messages.
 */
import type { QueryResult, Statement } from "@breakwater/core";
import pg from "pg";
import type { PgClient } from "./types.ts";

/** What of a `pg` connection's protocol side is used here. */
export interface PgWire {
  readonly stream: {
    write(bytes: Uint8Array): boolean;
    pause(): void;
    resume(): void;
    once(event: string, listener: () => void): void;
    removeListener(event: string, listener: () => void): void;
    readonly writableNeedDrain?: boolean;
  };
  query(text: string): void;
  parse(message: { readonly text: string }): void;
  describe(message: unknown): void;
  execute(message: { readonly portal: string; readonly rows: number }): void;
  close(message: { readonly type: "P" | "S"; readonly name: string }): void;
  sync(): void;
  flush(): void;
  sendCopyFromChunk(chunk: Uint8Array): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/** A `pg.Query` as the maker of one statement's messages and the reader of its answers. */
export interface Decoder {
  prepare(connection: never): void;
  handleRowDescription(message: unknown): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: unknown): void;
  readonly _result: QueryResult & { rows: unknown[] };
  /** A row that could not be read. */
  readonly _canceledDueToError: unknown;
  /** Values that could not be sent. */
  readonly failed: { readonly error: unknown } | undefined;
}

const Query = (pg as unknown as { readonly Query: new (config: object) => Decoder }).Query;

/** Makes one. `how` says more than the statement: the portal, and how many rows at once. */
export function decoder(client: PgClient, statement: Statement, how: object = {}): Decoder {
  // Prepared under no name: what follows it in the same flight may not come to pass.
  const { name: _, values, ...rest } = statement;
  const types = { getTypeParser: (...given: unknown[]) => client.getTypeParser?.(...given) };
  const { binary } = client as { readonly binary?: unknown };
  let failed: { readonly error: unknown } | undefined;
  const made = new Query({
    types,
    ...(binary === undefined ? {} : { binary }),
    ...rest,
    ...how,
    values: values === undefined ? [] : [...values],
    callback: (error: unknown) => {
      if (error !== null && error !== undefined) failed ??= { error };
    },
  });
  return Object.defineProperty(made, "failed", { get: () => failed });
}

/** Takes a connection's place and keeps what would have been sent. */
export class Recorder {
  readonly stream: object = {};
  readonly parsedStatements: object = {};
  readonly submittedNamedStatements: object = {};
  readonly #wire: PgWire;
  readonly #messages: Buffer[] = [];
  // What the server will have prepared under no name by then.
  #parsed: string | undefined;

  constructor(wire: PgWire) {
    // The methods of the connection, with another way out.
    this.#wire = Object.create(wire, {
      _send: {
        value: (message: Buffer) => {
          this.#messages.push(message);
          return true;
        },
      },
    }) as PgWire;
  }

  parse(message: { readonly text: string }): void {
    if (message.text === this.#parsed) return;
    this.#parsed = message.text;
    this.#wire.parse(message);
  }

  bind(message: unknown): void {
    (this.#wire as unknown as { bind(message: unknown): void }).bind(message);
  }

  describe(message: unknown): void {
    this.#wire.describe(message);
  }

  execute(message: { readonly portal: string; readonly rows: number }): void {
    this.#wire.execute(message);
  }

  close(message: { readonly type: "P" | "S"; readonly name: string }): void {
    this.#wire.close(message);
  }

  sync(): void {}

  flush(): void {}

  /** Everything so far, and a Sync. */
  bytesWithSync(): Buffer {
    return Buffer.concat([...this.#messages, SYNC]);
  }
}

/** 'S', and a length of 4: the message Sync. */
const SYNC = Buffer.from([0x53, 0, 0, 0, 4]);
