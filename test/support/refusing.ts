/**
 * A server that counts who comes and turns everybody away, as PostgreSQL does when it has no connection left.
 */
import { createServer, type Server } from "node:net";

const REFUSAL = errorMessage("SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0");

export interface RefusingServer {
  readonly port: number;
  /** How many connections were refused. */
  readonly refused: number;
  close(): Promise<void>;
}

export async function refusingServer(): Promise<RefusingServer> {
  let refused = 0;
  const server: Server = createServer((socket) => {
    refused += 1;
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(REFUSAL));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    get refused() {
      return refused;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function errorMessage(fields: string): Buffer {
  const body = Buffer.from(fields);
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
