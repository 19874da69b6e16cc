/**
 * A server that is ready and in the same moment ends the session, as one does that is killed while clients connect.
 */
import { createServer } from "node:net";

const READY_AND_GONE = Buffer.concat([
  message("R", Buffer.from([0, 0, 0, 0])),
  message("Z", Buffer.from("I")),
  message("E", Buffer.from("SFATAL\0VFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0")),
]);

export interface DyingServer {
  readonly port: number;
  /** How many sessions have begun and ended. */
  readonly sessions: number;
  close(): Promise<void>;
}

export async function dyingServer(): Promise<DyingServer> {
  let sessions = 0;
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      sessions += 1;
      // In one piece: the client reads them in one go.
      socket.end(READY_AND_GONE);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    get sessions() {
      return sessions;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
