/** A link to a server that keeps what clients send, and cuts off whoever sends a given text. */
import { connect, createServer, type Server, type Socket } from "node:net";

export class Relay {
  /** Everything that clients have sent, in order. */
  sent = "";
  /** Links that clients have opened. */
  links = 0;
  /** Cuts the link that sends this: before it is passed on, or as soon as it has been. */
  cut: { readonly text: string; readonly when: "before" | "after" } | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: number) {
    this.#server = createServer((client) => {
      this.links += 1;
      const server = connect(target, "127.0.0.1");
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => this.#sockets.delete(socket));
      }
      client.on("close", () => server.destroy());
      server.on("close", () => client.destroy());
      server.on("data", (chunk) => client.write(chunk));
      client.on("data", (chunk) => {
        const text = chunk.toString("latin1");
        this.sent += text;
        const meets = this.cut !== undefined && text.includes(this.cut.text);
        if (meets && this.cut?.when === "before") client.destroy();
        else server.write(chunk, () => meets && client.destroy());
      });
    });
    this.#server.listen(0, "127.0.0.1");
  }

  static async to(target: number): Promise<Relay> {
    const relay = new Relay(target);
    await new Promise((resolve) => relay.#server.once("listening", resolve));
    return relay;
  }

  get port(): number {
    return (this.#server.address() as { readonly port: number }).port;
  }

  /** How often clients have sent a text. */
  count(text: string): number {
    return this.sent.split(text).length - 1;
  }

  /** Cuts all links. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cutAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
