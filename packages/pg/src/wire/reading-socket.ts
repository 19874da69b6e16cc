/**
 * A plain socket that reads into memory of its own, always the same: without it every answer, however short, is read into
 * 64 KiB that are asked for and given back, and goes through a stream.
 */
import { Socket } from "node:net";

/** Size of what is read at once, in bytes; the runtime's own. */
const SIZE = 65_536;

/** Hears what has come: the first `length` bytes. They are gone when it returns. */
type Heard = (bytes: Buffer, length: number) => void;

/** A socket that nobody but `heard` reads from; in all else it is one like any other. */
export function readingSocket(heard: Heard): Socket {
  const buffer = Buffer.allocUnsafeSlow(SIZE);
  const callback = (length: number): boolean => {
    heard(buffer, length);
    return true;
  };
  return new Socket({ onread: { buffer, callback } });
}

/** Whether a stream is a socket as `pg` makes it, which nobody has connected or listened to. */
export function isUntouched(stream: unknown): boolean {
  if (typeof stream !== "object" || stream === null || Object.getPrototypeOf(stream) !== Socket.prototype) return false;
  const { connecting, pending, bytesRead, bytesWritten } = stream as Socket;
  return !connecting && pending && bytesRead === 0 && bytesWritten === 0;
}
