/**
 * How long is waited for a link to end.
 */
import type { PgClient } from "./types.ts";

/** How long a polite goodbye may take before the link is cut, in milliseconds. */
export const GOODBYE_MS = 1_000;

/** How long a link that was cut may take to say so, in milliseconds. */
const CUT_MS = 100;

/** Resolves when a client that has not ended yet has: by the server's own goodbye, or cut after a limit. */
export function goodbye(client: PgClient): Promise<void> {
  const stream = client.connection?.stream;
  if (stream === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      client.removeListener("end", end);
      resolve();
    };
    let timer = setTimeout(() => {
      stream.destroy();
      // A stream of the user's own making may not say that it has ended.
      timer = setTimeout(end, CUT_MS);
    }, GOODBYE_MS);
    client.on("end", end);
  });
}
