/**
 * A portal of the server that is read a part at a time, with a Sync behind each: inside a transaction a portal with a name
 * outlives it, and other statements may run in between.
 */
import type { DriverCursor, Statement } from "@breakwater/core";
import type { Submission } from "./batch-abilities.ts";
import { decoder, type Decoder, type PgWire, Recorder } from "./batch-recorder.ts";
import { NOTHING, refuseCopy } from "./batch.ts";
import type { PgClient } from "./types.ts";

type Answer = { readonly rows: readonly unknown[]; readonly done: boolean };

/** How a part is sent, and where its answer goes. */
export interface CursorHost {
  readonly driver: PgClient;
  submit<R>(make: () => Submission): Promise<R>;
}

let made = 0;

export class PortalCursor implements DriverCursor {
  readonly #host: CursorHost;
  readonly #statement: Statement;
  readonly #portal: string = `breakwater_${(made += 1)}`;
  #decoder: Decoder | undefined;

  constructor(host: CursorHost, statement: Statement) {
    this.#host = host;
    this.#statement = statement;
  }

  read(count: number): Promise<Answer> {
    return this.#host.submit<Answer>(() => {
      const recorder = this.#recorder();
      if (this.#decoder === undefined) {
        const first = decoder(this.#host.driver, this.#statement, { portal: this.#portal, rows: count });
        first.prepare(recorder as never);
        if (first.failed !== undefined) throw first.failed.error;
        this.#decoder = first;
      } else recorder.execute({ portal: this.#portal, rows: count });
      return new PortalPart(this.#decoder, recorder.bytesWithSync());
    });
  }

  async close(): Promise<void> {
    const { driver } = this.#host;
    // What has failed is gone with its transaction, and so is its portal.
    if (this.#decoder === undefined || driver.getTransactionStatus?.() === "E") return;
    await this.#host.submit(() => {
      const recorder = this.#recorder();
      recorder.close({ type: "P", name: this.#portal });
      return new PortalPart(this.#decoder as Decoder, recorder.bytesWithSync());
    });
  }

  #recorder(): Recorder {
    return new Recorder(this.#host.driver.connection as unknown as PgWire);
  }
}

class PortalPart {
  readonly text: string = "";
  readonly submittable = true;
  callback: ((error: unknown, answer?: Answer) => void) | undefined;
  readonly #decoder: Decoder;
  readonly #bytes: Buffer;
  #done = false;

  constructor(of: Decoder, bytes: Buffer) {
    this.#decoder = of;
    this.#bytes = bytes;
  }

  submit(connection: PgWire): void {
    connection.stream.write(this.#bytes);
  }

  handleRowDescription(message: unknown): void {
    this.#decoder.handleRowDescription(message);
  }

  handleDataRow(message: unknown): void {
    this.#decoder.handleDataRow(message);
  }

  handleCommandComplete(message: unknown): void {
    this.#done = true;
    this.#decoder.handleCommandComplete(message, NOTHING);
  }

  handleEmptyQuery(): void {
    this.#done = true;
  }

  handlePortalSuspended(): void {}

  handleCopyInResponse(connection: PgWire): void {
    refuseCopy(connection, "a stream brings no rows for COPY", true);
  }

  handleCopyData(): void {}

  handleError(error: unknown): void {
    this.callback?.(error);
  }

  handleReadyForQuery(): void {
    const { _canceledDueToError: unreadable, _result: result } = this.#decoder;
    if (unreadable !== false) {
      this.callback?.(unreadable);
      return;
    }
    const { rows } = result;
    result.rows = [];
    this.callback?.(null, { rows, done: this.#done });
  }
}
