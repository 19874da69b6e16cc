/** One address that leads every new connection to where it is told; those that exist stay where they are. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { setupError } from "../errors.ts";
import { reset } from "../proxy/reset.ts";

export class Endpoint {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;

  /** @param target port on 127.0.0.1 for the next connection. */
  constructor(target: () => number) {
    this.#server = createServer({ noDelay: true }, (socket) => this.#join(socket, connect(target(), "127.0.0.1")));
  }

  get port(): number {
    return this.#port;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error) => reject(setupError(`cannot listen: ${error.message}`, error)));
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    this.#server.on("error", () => {});
    const address = this.#server.address();
    if (typeof address === "object" && address !== null) this.#port = address.port;
  }

  async close(): Promise<void> {
    // The callback comes also when it never listened.
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(client: Socket, server: Socket): void {
    server.setNoDelay(true);
    for (const [socket, other] of [[client, server] as const, [server, client] as const]) {
      this.#sockets.add(socket);
      // A reset arrives as a reset.
      socket.on("error", () => reset(other));
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(server);
    server.pipe(client);
  }
}
