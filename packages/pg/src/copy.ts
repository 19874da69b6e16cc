/**
 * COPY over the connection's own protocol: no faster than the other side takes or sends it.
 */
import type { PgWire } from "./batch-recorder.ts";

/** How much is gathered before it is passed on, in bytes: a message per row would cost more than the row. */
const PIECE_BYTES = 65_536;

const COPIED = /^COPY (\d+)/;

abstract class Copy {
  readonly text: string;
  readonly submittable = true;
  callback: ((error: unknown, rows?: number) => void) | undefined;
  protected over = false;
  protected rows: number | undefined;

  constructor(text: string) {
    this.text = text;
  }

  submit(connection: PgWire): void {
    connection.query(this.text);
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyData(_message: unknown, _connection: PgWire): void {}

  handleCopyInResponse(connection: PgWire): void {
    connection.sendCopyFail("there is nothing to copy from");
  }

  handleCommandComplete({ text = "" }: { readonly text?: string }): void {
    const [, rows] = COPIED.exec(text) ?? [];
    if (rows !== undefined) this.rows = Number(rows);
  }

  handleError(error: unknown): void {
    this.over = true;
    this.callback?.(error);
  }

  handleReadyForQuery(): void {
    this.over = true;
    if (this.rows !== undefined) this.callback?.(null, this.rows);
    else this.callback?.(new TypeError("the statement was no COPY in the direction that was asked for"));
  }
}

/** COPY … FROM STDIN. */
export class CopyIn extends Copy {
  readonly #source: AsyncIterable<Uint8Array | string>;
  #begun = false;

  constructor(text: string, source: AsyncIterable<Uint8Array | string>) {
    super(text);
    this.#source = source;
  }

  override handleCopyInResponse(connection: PgWire): void {
    this.#begun = true;
    void this.#pump(connection);
  }

  override handleReadyForQuery(): void {
    if (!this.#begun) this.rows = undefined;
    super.handleReadyForQuery();
  }

  async #pump(connection: PgWire): Promise<void> {
    let gathered: Uint8Array[] = [];
    let bytes = 0;
    const pass = (): void => {
      if (bytes > 0) connection.sendCopyFromChunk(Buffer.concat(gathered));
      gathered = [];
      bytes = 0;
    };
    try {
      for await (const piece of this.#source) {
        // The server has refused what it had; it is done with this COPY.
        if (this.over) return;
        const chunk = typeof piece === "string" ? Buffer.from(piece) : piece;
        gathered.push(chunk);
        bytes += chunk.byteLength;
        if (bytes < PIECE_BYTES) continue;
        pass();
        if (connection.stream.writableNeedDrain === true) await drained(connection);
      }
      if (this.over) return;
      pass();
      connection.endCopyFrom();
    } catch {
      // Whoever gave the source knows what it threw. The server need not: it writes such a text into its log.
      if (!this.over) connection.sendCopyFail("the source of the rows failed");
    }
  }
}

function drained({ stream }: PgWire): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.removeListener("drain", done);
      stream.removeListener("close", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
  });
}

/** COPY … TO STDOUT. */
export class CopyOut extends Copy {
  readonly #take: (chunk: Uint8Array) => Promise<void> | undefined;
  #gathered: Uint8Array[] = [];
  #bytes = 0;
  #taking: Promise<void> | undefined;
  #soon: NodeJS.Immediate | undefined;

  constructor(text: string, take: (chunk: Uint8Array) => Promise<void> | undefined) {
    super(text);
    this.#take = take;
  }

  override handleCopyData({ chunk }: { readonly chunk: Uint8Array }, connection: PgWire): void {
    // The parser uses its memory again.
    this.#gathered.push(Buffer.from(chunk));
    this.#bytes += chunk.byteLength;
    // What has come is not held back for what has not.
    this.#soon ??= setImmediate(() => this.#pass(connection));
    if (this.#bytes >= PIECE_BYTES) this.#pass(connection);
  }

  override handleError(error: unknown): void {
    clearImmediate(this.#soon);
    super.handleError(error);
  }

  override handleReadyForQuery(): void {
    clearImmediate(this.#soon);
    const end = (): void => super.handleReadyForQuery();
    const rest = (): void => {
      const taking = this.#bytes > 0 ? this.#take(this.#takeAll()) : undefined;
      if (taking === undefined) end();
      else void taking.then(end);
    };
    if (this.#taking === undefined) rest();
    else void this.#taking.then(rest);
  }

  #pass(connection: PgWire): void {
    clearImmediate(this.#soon);
    this.#soon = undefined;
    if (this.#bytes === 0 || this.#taking !== undefined || this.over) return;
    const taking = this.#take(this.#takeAll());
    if (taking === undefined) return;
    this.#taking = taking;
    connection.stream.pause();
    void taking.then(() => {
      this.#taking = undefined;
      connection.stream.resume();
      this.#pass(connection);
    });
  }

  #takeAll(): Uint8Array {
    const all = Buffer.concat(this.#gathered);
    this.#gathered = [];
    this.#bytes = 0;
    return all;
  }
}
