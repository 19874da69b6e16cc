/**
 * The untyped beginning of a connection: encryption may be asked for (and answered by one byte), then comes the startup packet
 * or a cancel request. After an agreed encryption nothing can be read any more and everything passes as plain bytes.
 */
import { startup } from "./messages.ts";

/** Longest first packet that the server accepts; whatever claims more is another protocol (a TLS handshake begins so). */
const longestPacket = 10_000;

/** The server's answer "N": go on in the clear. */
const refused = 0x4e;

/** The packet at the beginning of `bytes`: its kind, or what prevents telling. */
export function firstPacket(bytes: Buffer): {
  kind: "incomplete" | "unknown" | keyof typeof startup | "start";
  size: number;
} {
  if (bytes.length < 4) return { kind: bytes[0] === undefined || bytes[0] === 0 ? "incomplete" : "unknown", size: 0 };
  const size = bytes.readUInt32BE(0);
  if (size < 8 || size > longestPacket) return { kind: "unknown", size };
  if (bytes.length < size) return { kind: "incomplete", size };
  const code = bytes.readUInt32BE(4);
  if (code === startup.ssl) return { kind: "ssl", size };
  if (code === startup.gss) return { kind: "gss", size };
  return { kind: code === startup.cancel ? "cancel" : "start", size };
}

export class Startup {
  #held: Buffer = Buffer.alloc(0);
  #clientDone = false;
  #raw = false;
  #cancel = false;
  /** Requests for encryption that the server has not answered yet. */
  #asked = 0;

  /** The client's typed messages have begun, or nothing can be understood any more. */
  get clientDone(): boolean {
    return this.#clientDone;
  }

  get raw(): boolean {
    return this.#raw;
  }

  /** Statements will pass that nobody can read: they are encrypted, or it is another protocol. */
  get opaque(): boolean {
    return this.#raw && !this.#cancel;
  }

  /** Passes on what belongs to the beginning, and returns what comes after it. */
  clientSent(chunk: Buffer, emit: (bytes: Buffer) => void): Buffer | undefined {
    let bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    this.#held = Buffer.alloc(0);
    for (;;) {
      if (bytes.length === 0) return undefined;
      const { kind, size } = firstPacket(bytes);
      if (kind === "incomplete") {
        this.#held = bytes;
        return undefined;
      }
      if (kind === "unknown" || kind === "cancel") {
        this.#clientDone = true;
        this.#raw = true;
        this.#cancel = kind === "cancel";
        return bytes;
      }
      if (kind === "start") this.#clientDone = true;
      else this.#asked++;
      emit(bytes.subarray(0, size));
      bytes = bytes.subarray(size);
      if (kind === "start") return bytes.length > 0 ? bytes : undefined;
    }
  }

  /** The same for the server's side. */
  serverSent(chunk: Buffer, emit: (bytes: Buffer) => void): Buffer | undefined {
    if (this.#asked === 0 || this.#raw) return chunk;
    this.#asked--;
    if (chunk[0] !== refused) {
      // Agreed on; or an error in the place of an answer, after which the server says nothing more.
      this.#raw = true;
      this.#clientDone = true;
      return chunk;
    }
    emit(chunk.subarray(0, 1));
    return chunk.length > 1 ? this.serverSent(chunk.subarray(1), emit) : undefined;
  }
}
