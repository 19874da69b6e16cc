/**
 * COPY over the connection's own protocol: no faster than the other side takes or sends it.
 */
import type { Party } from "./exchange.ts";
import * as messages from "./messages.ts";
import type { Link } from "./types.ts";
import type { Wire } from "./wire.ts";

/** How much is gathered before it is passed on, in bytes: a message per row would cost more than the row. */
const PIECE_BYTES = 65_536;

const COPY_IN = "G".charCodeAt(0);
const COPY_OUT = "H".charCodeAt(0);
const COPY_DATA = "d".charCodeAt(0);

/** Pieces on their way. */
class Gathered {
  #pieces: Buffer[] = [];
  bytes = 0;

  add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.bytes += piece.byteLength;
  }

  takeAll(): Buffer {
    const all = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.bytes = 0;
    return all;
  }
}

/** COPY … FROM STDIN. */
export class CopyIn implements Party {
  readonly #link: Link;
  readonly #text: string;
  readonly #source: AsyncIterable<Uint8Array | string>;
  #over = false;
  /** Whether the server has asked for rows. */
  begun = false;

  constructor(link: Link, text: string, source: AsyncIterable<Uint8Array | string>) {
    this.#link = link;
    this.#text = text;
    this.#source = source;
  }

  begin(): void {
    this.#link.write(messages.query(this.#text));
  }

  heard(type: number): void {
    if (type !== COPY_IN) return;
    // A second one in the same text has no rows left.
    if (this.begun) this.#link.write(messages.copyFail("there is nothing to copy from"));
    else void this.#pump();
    this.begun = true;
  }

  refused(): void {
    this.#over = true;
  }

  ended(): void {
    this.#over = true;
  }

  async #pump(): Promise<void> {
    const link = this.#link;
    const gathered = new Gathered();
    try {
      for await (const piece of this.#source) {
        // The server has refused what it had; it is done with this COPY.
        if (this.#over) return;
        gathered.add(Buffer.from(piece as Uint8Array));
        if (gathered.bytes < PIECE_BYTES) continue;
        if (!link.write(messages.copyData(gathered.takeAll()))) await drained(link);
      }
      if (this.#over) return;
      if (gathered.bytes > 0) link.write(messages.copyData(gathered.takeAll()));
      link.write(messages.copyDone);
    } catch {
      // Whoever gave the source knows what it threw. The server need not: it writes such a text into its log.
      if (!this.#over) link.write(messages.copyFail("the source of the rows failed"));
    }
  }
}

function drained(link: Link): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      link.removeListener("drain", done);
      link.removeListener("close", done);
      resolve();
    };
    link.once("drain", done);
    link.once("close", done);
    if (link.destroyed) done();
  });
}

/** COPY … TO STDOUT. */
export class CopyOut implements Party {
  readonly #link: Link;
  readonly #text: string;
  readonly #take: (chunk: Uint8Array) => Promise<void> | undefined;
  readonly #gathered: Gathered = new Gathered();
  #taking: Promise<void> | undefined;
  #soon: NodeJS.Immediate | undefined;
  #over = false;
  /** Whether the server has had rows to give. */
  begun = false;

  constructor(link: Link, text: string, take: (chunk: Uint8Array) => Promise<void> | undefined) {
    this.#link = link;
    this.#text = text;
    this.#take = take;
  }

  begin(): void {
    this.#link.write(messages.query(this.#text));
  }

  heard(type: number, body: Buffer): void {
    if (type === COPY_OUT) this.begun = true;
    else if (type === COPY_IN) this.#link.write(messages.copyFail("there is nothing to copy from"));
    if (type !== COPY_DATA) return;
    this.#gathered.add(body);
    // What has come is not held back for what has not.
    this.#soon ??= setImmediate(() => this.#pass());
    if (this.#gathered.bytes >= PIECE_BYTES) this.#pass();
  }

  ended(): void {
    this.#over = true;
    clearImmediate(this.#soon);
  }

  /** Hands on what is left. Resolves when everything has been taken. */
  async rest(): Promise<void> {
    await this.#taking;
    if (this.#gathered.bytes > 0) await this.#take(this.#gathered.takeAll());
  }

  #pass(): void {
    clearImmediate(this.#soon);
    this.#soon = undefined;
    if (this.#taking !== undefined || this.#over || this.#gathered.bytes === 0) return;
    const taking = this.#take(this.#gathered.takeAll());
    if (taking === undefined) return;
    this.#link.pause();
    this.#taking = taking.then(() => {
      this.#taking = undefined;
      this.#link.resume();
      this.#pass();
    });
  }
}

/** Number of rows of a COPY that ended well. @throws TypeError when it was none, or went the other way. */
export function copied(wire: Wire, begun: boolean): number {
  const tag = wire.tags.findLast(({ command }) => command === "COPY");
  if (begun && tag !== undefined) return tag.count ?? 0;
  throw new TypeError("the statement was no COPY in the direction that was asked for");
}
