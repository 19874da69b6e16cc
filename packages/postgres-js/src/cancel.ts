/**
 * Asks a server to stop what a connection is running, over a second link as the protocol wants it (documentation, 54.2.8).
 */
import { openLink } from "./link.ts";
import type { ReadOptions } from "./types.ts";

/** Longest wait for the request to get through, in milliseconds. */
const CANCEL_MS = 1_000;

const CANCEL_CODE = 80_877_102;

/**
 * Sends the request and waits until the server has taken it: it closes the link then. Never rejects. Only for a connection
 * that will be destroyed: the request may arrive after the statement has ended.
 */
export async function cancelRunning(options: ReadOptions, key: Buffer): Promise<void> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Error("the request to cancel was not taken in time")), CANCEL_MS);
  try {
    const link = await openLink(options, limit.signal);
    await new Promise<void>((resolve) => {
      const end = (): void => {
        link.destroy();
        resolve();
      };
      limit.signal.addEventListener("abort", end, { once: true });
      link.on("error", end);
      link.on("close", end);
      // The server's end of the link is only noticed by those who read.
      link.resume();
      const head = Buffer.alloc(8);
      head.writeInt32BE(8 + key.length, 0);
      head.writeInt32BE(CANCEL_CODE, 4);
      link.write(Buffer.concat([head, key]));
    });
  } catch {
    // A server that cannot be asked will notice the closed connection in its own time.
  } finally {
    clearTimeout(timer);
  }
}
