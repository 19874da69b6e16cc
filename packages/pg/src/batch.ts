/**
 * Many statements in one flight: their messages, and one Sync behind them all.
 *
 * The server carries them out in order, up to the first that fails; outside a transaction, what stands before one Sync is
 * a transaction (PostgreSQL documentation, 54.2.4, pipelining).
 */
import { noteIndex, type QueryResult, type Statement } from "@breakwater/core";
import { decoder, type Decoder, type PgWire, Recorder } from "./batch-recorder.ts";
import type { PgClient } from "./types.ts";

/** What `pg` submits and hears answers for. It looks like a statement with values: the server says when it has bound them. */
export class Batch {
  readonly text: string;
  readonly values: readonly unknown[] = [null];
  readonly submittable = true;
  callback: ((error: unknown, results?: readonly QueryResult[]) => void) | undefined;
  readonly #bytes: Buffer;
  readonly #decoders: Decoder[] = [];
  // Which statement the server answers now.
  #at = 0;

  /** @throws whatever the values throw that cannot be sent; nothing has been sent then. */
  constructor(client: PgClient, statements: readonly Statement[]) {
    this.text = statements[0]?.text ?? "";
    const recorder = new Recorder(client.connection as unknown as PgWire);
    for (const [index, statement] of statements.entries()) {
      const one = decoder(client, statement);
      this.#decoders.push(one);
      one.prepare(recorder as never);
      if (one.failed === undefined) continue;
      noteIndex(one.failed.error, index);
      throw one.failed.error;
    }
    this.#bytes = recorder.bytesWithSync();
  }

  submit(connection: PgWire): void {
    connection.stream.write(this.#bytes);
  }

  handleRowDescription(message: unknown): void {
    this.#current.handleRowDescription(message);
  }

  handleDataRow(message: unknown): void {
    this.#current.handleDataRow(message);
  }

  handleCommandComplete(message: unknown): void {
    this.#current.handleCommandComplete(message, NOTHING);
    this.#at += 1;
  }

  handleEmptyQuery(): void {
    this.#at += 1;
  }

  handlePortalSuspended(): void {}

  handleCopyInResponse(connection: PgWire): void {
    refuseCopy(connection, "a batch brings no rows for COPY", this.#at === this.#decoders.length - 1);
  }

  handleCopyData(): void {}

  handleError(error: unknown): void {
    noteIndex(error, this.#at);
    this.callback?.(error);
  }

  handleReadyForQuery(): void {
    const broken = this.#decoders.findIndex(({ _canceledDueToError: error }) => error !== false);
    if (broken === -1)
      this.callback?.(
        null,
        this.#decoders.map(({ _result }) => _result),
      );
    else {
      const error = this.#decoders[broken]?._canceledDueToError;
      noteIndex(error, broken);
      this.callback?.(error);
    }
  }

  get #current(): Decoder {
    return this.#decoders[this.#at] as Decoder;
  }
}

/** A decoder asks for more rows after each part; here, and in a cursor, that is somebody else's affair. */
export const NOTHING: { sync(): void } = { sync: () => undefined };

/**
 * Ends a COPY FROM STDIN that nobody has rows for. A server that waits for rows throws away the Sync that follows, and
 * waits for one again after the error; where another statement stands before that Sync, it has met that one instead, and
 * the Sync is still to come (PostgreSQL documentation, 54.2.6, COPY operations).
 */
export function refuseCopy(connection: PgWire, why: string, lastBeforeSync: boolean): void {
  connection.sendCopyFail(why);
  if (lastBeforeSync) connection.sync();
}
