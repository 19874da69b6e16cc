/**
 * One statement with many rows of values, in one flight: prepared once, and bound and carried out for each row.
 */
import { noteIndex } from "@breakwater/core";
import type { PgWire } from "./batch-recorder.ts";
import { refuseCopy } from "./batch.ts";
import { Outbox } from "./wire/outbox.ts";

export class Many {
  readonly text: string;
  readonly values: readonly unknown[] = [null];
  readonly submittable = true;
  callback: ((error: unknown, rows?: number) => void) | undefined;
  readonly #bytes: Buffer;
  readonly #count: number;
  // Which row the server answers now, and how many it has changed until then.
  #at = 0;
  #rows = 0;

  /** @throws whatever the values throw that cannot be sent; nothing has been sent then. */
  constructor(text: string, rows: readonly (readonly unknown[])[]) {
    this.text = text;
    this.#count = rows.length;
    const outbox = new Outbox();
    outbox.parse("", text);
    for (const [index, values] of rows.entries()) {
      try {
        outbox.bind("", values);
      } catch (error) {
        noteIndex(error, index);
        throw error;
      }
      outbox.execute();
    }
    outbox.sync();
    this.#bytes = outbox.take();
  }

  submit(connection: PgWire): void {
    connection.stream.write(this.#bytes);
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleCopyData(): void {}

  handleCopyInResponse(connection: PgWire): void {
    refuseCopy(connection, "executeMany() brings no rows for COPY", this.#at === this.#count - 1);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#at += 1;
    // The number of rows stands at the end of the tag, where there is one.
    const rows = Number(text.slice(text.lastIndexOf(" ") + 1));
    if (!Number.isNaN(rows)) this.#rows += rows;
  }

  handleEmptyQuery(): void {
    this.#at += 1;
  }

  handleError(error: unknown): void {
    noteIndex(error, this.#at);
    this.callback?.(error);
  }

  handleReadyForQuery(): void {
    this.callback?.(null, this.#rows);
  }
}
