/**
 * The end of a link.
 */
import type { Mysql2Stream } from "./types.ts";

/** How long a polite goodbye may take before the link is cut, in milliseconds. */
const GOODBYE_MS = 1_000;

/** How long a link that was cut may take to say so, in milliseconds. */
const CUT_MS = 100;

/** As mysql2 says it to those who wait with a callback. */
export function connectionLost(): Error {
  const code = "PROTOCOL_CONNECTION_LOST";
  return Object.assign(new Error("Connection lost: The server closed the connection."), { code, fatal: true });
}

/** Resolves when a link has ended: by the goodbye, or cut after a limit. */
export function ended(stream: Mysql2Stream): Promise<void> {
  if (stream.destroyed === true) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      stream.removeListener("close", end);
      resolve();
    };
    let timer = setTimeout(() => {
      stream.destroy();
      // A stream of the user's own making may not say that it has ended.
      timer = setTimeout(end, CUT_MS);
    }, GOODBYE_MS);
    stream.once("close", end);
  });
}
