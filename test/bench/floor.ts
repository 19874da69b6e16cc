/**
 * A throw-away client of the wire protocol, to see how little an answer can cost: every text is prepared at the start, and of
 * what comes back only ReadyForQuery is looked for. No rows, no password, no reconnect, no guard.
 */
import { connect, type Socket } from "node:net";

const READY = 0x5a;
const FAILED = 0x45;
const AUTHENTICATION = 0x52;

interface FloorOptions {
  /** For transactions, each of which has one to itself. */
  readonly connections: number;
  /** So many of them also for single statements, many at a time: not while there are transactions. */
  readonly shared: number;
  readonly texts: readonly string[];
}

export class Floor {
  readonly #shared: readonly Wire[];
  readonly #free: Wire[];
  readonly #waiting: ((wire: Wire) => void)[] = [];

  private constructor(wires: readonly Wire[], shared: number) {
    this.#shared = wires.slice(0, shared);
    this.#free = [...wires];
  }

  static async open(url: string, { connections, shared, texts }: FloorOptions): Promise<Floor> {
    const wires = Array.from({ length: connections }, () => new Wire(url));
    await Promise.all(wires.map((wire) => wire.prepare(texts)));
    return new Floor(wires, shared);
  }

  /** One statement, behind others on the connection with least to do. */
  query(text: string, values: readonly unknown[]): Promise<void> {
    let least = this.#shared[0]!;
    for (const wire of this.#shared) if (wire.load < least.load) least = wire;
    return least.execute(text, values);
  }

  /** Statements in a transaction, each in a round trip of its own, on a connection of its own. */
  async transaction(statements: readonly (readonly [text: string, values: readonly unknown[]])[]): Promise<void> {
    const wire = this.#free.pop() ?? (await new Promise<Wire>((resolve) => this.#waiting.push(resolve)));
    await wire.execute("BEGIN", []);
    for (const [text, values] of statements) await wire.execute(text, values);
    await wire.execute("COMMIT", []);
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(wire);
    else next(wire);
  }

  close(): void {
    for (const wire of new Set([...this.#shared, ...this.#free])) wire.end();
  }
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class Wire {
  readonly #socket: Socket;
  readonly #names = new Map<string, string>();
  // Who waits for an answer, in the order of what was sent.
  readonly #waiting: Waiting[] = [];
  #out = "";
  #head: Buffer | undefined;
  #skip = 0;

  constructor(url: string) {
    const { hostname, port, username, pathname } = new URL(url);
    const callback = (count: number, bytes: Uint8Array): boolean => {
      this.#read(bytes as Buffer, count);
      return true;
    };
    this.#socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: { buffer: Buffer.allocUnsafe(65_536), callback },
    });
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new Error("the connection was closed")));
    this.#out = `\0\x03\0\0user\0${username}\0database\0${pathname.slice(1)}\0\0`;
    this.#out = int32(this.#out.length + 4) + this.#out;
  }

  get load(): number {
    return this.#waiting.length;
  }

  async prepare(texts: readonly string[]): Promise<void> {
    await this.#sent();
    for (const [index, text] of texts.entries()) {
      this.#names.set(text, `s${index}`);
      this.#out += message("P", `s${index}\0${text}\0\0\0`);
    }
    this.#out += SYNC;
    await this.#sent();
  }

  /** Values are sent as text and must be ASCII. */
  execute(text: string, values: readonly unknown[]): Promise<void> {
    let given = "";
    for (const value of values) given += int32(String(value).length) + String(value);
    const bind = `\0${this.#names.get(text)}\0\0\0${int16(values.length)}${given}\0\0`;
    this.#out += message("B", bind) + EXECUTE + SYNC;
    return this.#sent();
  }

  end(): void {
    this.#socket.destroy();
  }

  /** What is asked for in one tick leaves together. */
  #sent(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ resolve, reject });
    process.nextTick(this.#flush);
    return promise;
  }

  readonly #flush = (): void => {
    if (this.#out === "") return;
    this.#socket.write(this.#out, "latin1");
    this.#out = "";
  };

  #read(chunk: Buffer, count: number): void {
    let bytes = chunk;
    let end = count;
    if (this.#head !== undefined) {
      bytes = Buffer.concat([this.#head, chunk.subarray(0, count)]);
      end = bytes.length;
      this.#head = undefined;
    }
    let at = this.#skip;
    while (at + 5 <= end) {
      const type = bytes[at];
      if (type === READY) this.#waiting.shift()?.resolve();
      else if (type === FAILED) this.#fail(new Error(bytes.toString("latin1", at + 5, end)));
      else if (type === AUTHENTICATION && at + 9 <= end && bytes.readInt32BE(at + 5) !== 0)
        this.#fail(new Error("the server asks for a password"));
      at += 1 + bytes.readInt32BE(at + 1);
    }
    // A message's first bytes may come with another chunk than its others.
    if (at < end) this.#head = Buffer.from(bytes.subarray(at, end));
    this.#skip = at < end ? 0 : at - end;
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#socket.destroy();
  }
}

function int32(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

function int16(value: number): string {
  return String.fromCharCode(value >>> 8, value & 255);
}

function message(type: string, body: string): string {
  return type + int32(body.length + 4) + body;
}

const EXECUTE = message("E", "\0\0\0\0\0");
const SYNC = message("S", "");
