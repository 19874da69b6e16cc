/** Free TCP ports of the loopback interface. */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { setupError } from "../../errors.ts";

/**
 * Below the range from which systems take the ports of outgoing connections: a stopped server's port must still be free when
 * it starts again.
 */
const [lowest, highest] = [20_000, 30_000];

/** @returns a port that nothing listens on and that is not in `taken`. */
export async function freePort(taken: ReadonlySet<number>): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(lowest, highest);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw setupError(`no free port found from ${lowest} to ${highest}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
