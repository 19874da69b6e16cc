/**
 * A plain socket that reads into memory of its own, always the same: without it every answer, however short, is read into
 * 64 KiB that are asked for and given back, and goes through a stream.
 */
import { Socket } from "node:net";

/** Size of what is read at once, in bytes; the runtime's own. */
const SIZE = 65_536;

/** Hears what has come: the first `length` bytes. `lent` when they are gone as it returns. */
export type Heard = (bytes: Buffer, length: number, lent: boolean) => void;

/** A socket, and what its reader listens to it with: `on("data", listener)`. */
export interface ReadingSocket {
  readonly socket: Socket;
  readonly listener: (bytes: Buffer) => void;
}

/**
 * A socket that one reader reads from without a stream. It is one like any other as soon as somebody else listens to it,
 * or the reader's listener is taken off it, as streams of COPY do.
 */
export function readingSocket(heard: Heard): ReadingSocket {
  const buffer = Buffer.allocUnsafeSlow(SIZE);
  const listener = (bytes: Buffer): void => heard(bytes, bytes.length, false);
  const callback = (length: number): boolean => {
    const alone = socket.listenerCount("data") === 1 && socket.listenerCount("data", listener) === 1;
    if (!alone || socket.readableFlowing !== true || socket.readableLength > 0)
      return socket.push(Buffer.from(buffer.subarray(0, length)));
    heard(buffer, length, true);
    return true;
  };
  const socket = new Socket({ onread: { buffer, callback } });
  return { socket, listener };
}

/** Whether a stream is a socket as `pg` makes it, which nobody has connected or listened to. */
export function isUntouched(stream: unknown): boolean {
  if (typeof stream !== "object" || stream === null || Object.getPrototypeOf(stream) !== Socket.prototype) return false;
  const { connecting, pending, bytesRead, bytesWritten } = stream as Socket;
  return !connecting && pending && bytesRead === 0 && bytesWritten === 0;
}
