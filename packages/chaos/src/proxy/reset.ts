/** Breaks a TCP connection off, so that the other side sees ECONNRESET. */
import type { Socket } from "node:net";

/**
 * Resets at once; what was written and has not left is lost. `resetAndDestroy()` is not used: it first waits until all has been
 * written, and when the socket is destroyed meanwhile, by an error or by anybody, it never closes (Node.js 22 to 24, `_destroy`
 * in lib/net.js: the reset of a handle that is shutting down fails with EINVAL).
 */
export function reset(socket: Socket): void {
  const isShuttingDown = socket.writableEnded && !socket.writableFinished;
  // What `resetAndDestroy()` sets as well; without it, `destroy()` ends the connection the regular way.
  if (!socket.connecting && !isShuttingDown) Object.assign(socket, { resetAndClosing: true });
  socket.destroy();
}

/** Resets when all that was written has left. */
export function resetWhenWritten(socket: Socket): void {
  if (socket.writableLength === 0 || !socket.writable) reset(socket);
  else socket.write("", () => reset(socket));
}
