/** A toy: the least client of PostgreSQL that can be called a driver. It knows nothing of the layer. */
import { connect, type Socket } from "node:net";

export interface ToyResult {
  readonly columns: readonly { readonly name: string; readonly type: number }[];
  readonly rows: unknown[][];
  tag: string;
}

type Settle = { resolve(results: ToyResult[]): void; reject(error: Error): void };

export class Toy {
  status = "";
  lost = false;
  onLost: ((error: Error) => void) | undefined;
  onNotice: ((notice: unknown) => void) | undefined;
  readonly address: readonly [number, string];
  readonly #socket: Socket;
  #read: Buffer = Buffer.alloc(0);
  #key: Buffer = Buffer.alloc(8);
  #results: ToyResult[] = [];
  #error: Error | undefined;
  #waiting: Settle | undefined;

  constructor(address: readonly [number, string], socket: Socket) {
    this.address = address;
    this.#socket = socket.on("data", (chunk) => this.#take(chunk)).on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(new Error("Connection terminated")));
  }

  static async open(port: number, host: string, startup: Record<string, string>, signal: AbortSignal): Promise<Toy> {
    const socket = connect({ port, host, signal });
    const toy = new Toy([port, host], socket);
    const ready = toy.#settled();
    const pairs = Object.entries(startup).flatMap(([name, value]) => [name, value]);
    socket.on("connect", () =>
      socket.write(sized(Buffer.concat([int(196_608), ...pairs.map(cstring), Buffer.alloc(1)]))),
    );
    await ready;
    return toy;
  }

  /** Values are made texts before anything is sent: what cannot be one throws here. */
  query(text: string, values: readonly unknown[] = []): Promise<ToyResult[]> {
    if (this.lost) return Promise.reject(new Error("Connection terminated"));
    const texts = values.map((value) =>
      value === null || value === undefined ? undefined : Buffer.from(textOf(value)),
    );
    const bound = texts.map((value) => (value === undefined ? int(-1) : Buffer.concat([int(value.length), value])));
    const answer = this.#settled();
    if (values.length === 0) this.#socket.write(message("Q", cstring(text)));
    else {
      const bind = [Buffer.alloc(4), short(bound.length), ...bound, Buffer.alloc(2)];
      const parts: [string, Buffer[]][] = [
        ["P", [Buffer.alloc(1), cstring(text), Buffer.alloc(2)]],
        ["B", bind],
        ["D", [Buffer.from("P\0")]],
        ["E", [Buffer.alloc(5)]],
        ["S", []],
      ];
      this.#socket.write(Buffer.concat(parts.map(([type, body]) => message(type, ...body))));
    }
    return answer;
  }

  /** Asks the server to stop what runs. */
  async cancel(): Promise<void> {
    const socket = connect(...this.address);
    await new Promise<void>((resolve) => {
      socket
        .on("error", () => resolve())
        .on("close", () => resolve())
        .resume();
      socket.write(sized(Buffer.concat([int(80_877_102), this.#key])));
    });
  }

  destroy(): Promise<void> {
    if (this.#socket.closed) return Promise.resolve();
    return new Promise((resolve) => this.#socket.on("close", () => resolve()).destroy());
  }

  #settled(): Promise<ToyResult[]> {
    this.status = "";
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  #end(error: Error): void {
    if (this.lost) return;
    this.lost = true;
    this.#waiting?.reject(this.#error ?? error);
    this.onLost?.(this.#error ?? error);
  }

  #take(chunk: Buffer): void {
    this.#read = Buffer.concat([this.#read, chunk]);
    while (this.#read.length > 4 && this.#read.length > this.#read.readInt32BE(1)) {
      const end = this.#read.readInt32BE(1) + 1;
      this.#message(String.fromCharCode(this.#read[0]!), this.#read.subarray(5, end));
      this.#read = this.#read.subarray(end);
    }
  }

  #message(type: string, body: Buffer): void {
    const current = this.#results.at(-1);
    if (type === "K") this.#key = Buffer.from(body);
    else if (type === "T") this.#results.push({ columns: columnsOf(body), rows: [], tag: "" });
    else if (type === "D") current?.rows.push(rowOf(body, current));
    else if (type === "C") {
      const tag = body.toString("utf8", 0, body.length - 1);
      if (current?.tag === "") current.tag = tag;
      else this.#results.push({ columns: [], rows: [], tag });
    } else if (type === "N") this.onNotice?.(errorOf(body));
    else if (type === "E") this.#error = errorOf(body);
    else if (type === "Z") {
      this.status = body.toString("latin1");
      const [settle, error, results] = [this.#waiting, this.#error, this.#results];
      [this.#waiting, this.#error, this.#results] = [undefined, undefined, []];
      if (error === undefined) settle?.resolve(results);
      else settle?.reject(error);
    }
  }
}

const NUMBERS = new Set([20, 21, 23]);

function columnsOf(body: Buffer): ToyResult["columns"] {
  let at = 2;
  return Array.from({ length: body.readInt16BE(0) }, () => {
    const end = body.indexOf(0, at);
    const column = { name: body.toString("utf8", at, end), type: body.readInt32BE(end + 7) };
    at = end + 19;
    return column;
  });
}

function rowOf(body: Buffer, { columns }: ToyResult): unknown[] {
  let at = 2;
  return columns.map(({ type }) => {
    const length = body.readInt32BE(at);
    const text = body.toString("utf8", at + 4, at + 4 + Math.max(length, 0));
    at += 4 + Math.max(length, 0);
    return length < 0 ? null : NUMBERS.has(type) ? Number(text) : text;
  });
}

function errorOf(body: Buffer): Error {
  const fields = Object.fromEntries(
    body
      .toString()
      .split("\0")
      .map((field) => [field.slice(0, 1), field.slice(1)]),
  );
  const { M: message, C: code, V: severity, R: routine } = fields;
  return Object.assign(new Error(message), { code, severity, routine });
}

// oxlint-disable-next-line typescript/no-base-to-string -- a toy sends whatever a value says of itself
const textOf = (value: unknown): string => String(value);
const int = (value: number): Buffer => bytes(4, (to) => to.writeInt32BE(value));
const short = (value: number): Buffer => bytes(2, (to) => to.writeInt16BE(value));
const cstring = (text: string): Buffer => Buffer.from(`${text}\0`);
const sized = (body: Buffer): Buffer => Buffer.concat([int(body.length + 4), body]);
const message = (type: string, ...body: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from(type), sized(Buffer.concat(body))]);

function bytes(length: number, fill: (to: Buffer) => void): Buffer {
  const made = Buffer.alloc(length);
  fill(made);
  return made;
}
