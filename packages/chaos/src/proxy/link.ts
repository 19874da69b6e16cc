/** One client's connection through the proxy: its socket, the one to the server, and the conversation between them. */
import { Socket } from "node:net";
import type { Strike } from "./fault.ts";
import { type Direction, Pump } from "./pump.ts";
import { Session, type SessionLink } from "./session.ts";

/** How a connection is cut: by a TCP reset, or by a regular end. */
export type CutMode = "reset" | "fin";

/** What a connection asks of its proxy. */
export interface LinkOwner {
  /** Port of the server. */
  readonly target: number;
  readonly watched: boolean;
  decide(text: string): Strike | undefined;
}

export class Link implements SessionLink {
  /** Resolves when both sockets are closed. */
  readonly closed: Promise<void>;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #owner: LinkOwner;
  readonly #session: Session;
  readonly #pumps: Readonly<Record<Direction, Pump>>;
  #connected = false;

  constructor(client: Socket, owner: LinkOwner) {
    const server = new Socket({ allowHalfOpen: true });
    this.#client = client;
    this.#server = server;
    this.#owner = owner;
    this.#session = new Session(this);
    this.#pumps = { toServer: new Pump(client, server), toClient: new Pump(server, client) };
    client.setNoDelay(true);
    server.setNoDelay(true);
    client.on("data", (chunk: Buffer) => this.#session.clientSent(chunk));
    client.on("end", () => this.#clientGone("end"));
    client.on("error", () => this.#clientGone("reset"));
    client.on("close", () => this.#clientGone("close"));
    server.on("data", (chunk: Buffer) => this.#session.serverSent(chunk));
    server.on("end", () => this.#pumps.toClient.push("end"));
    server.on("error", () => this.#pumps.toClient.push("reset"));
    server.on("close", () => this.#pumps.toClient.push("close"));
    this.closed = Promise.all([closing(client), closing(server)]).then(() => {});
  }

  /** Whether the client is still connected. */
  get open(): boolean {
    return !this.#client.destroyed;
  }

  get watched(): boolean {
    return this.#owner.watched;
  }

  setLatency(direction: Direction, ms: number): void {
    this.#pumps[direction].latencyMs = ms;
  }

  freeze(direction: Direction): void {
    this.#pumps[direction].freeze();
  }

  thaw(direction: Direction): void {
    if (direction === "toServer") this.connect();
    this.#pumps[direction].thaw();
  }

  /** Opens the way to the server; not called while that is frozen. */
  connect(): void {
    if (this.#connected || this.#server.destroyed) return;
    this.#connected = true;
    this.#server.connect(this.#owner.target, "127.0.0.1");
  }

  cut(mode: CutMode): void {
    if (mode === "reset") this.resetClient();
    else {
      this.#pumps.toClient.stop();
      this.#client.destroySoon();
    }
    this.dropServer();
  }

  /** Closes both sides, without waiting for anything that is still on its way. */
  destroy(): void {
    this.#pumps.toClient.stop();
    this.#client.destroy();
    this.dropServer();
  }

  toServer(bytes: Buffer): void {
    this.#pumps.toServer.push(bytes);
  }

  toClient(bytes: Buffer): void {
    this.#pumps.toClient.push(bytes);
  }

  decide(text: string): Strike | undefined {
    return this.#owner.decide(text);
  }

  resetClient(): void {
    this.#pumps.toClient.stop();
    if (!this.#client.destroyed) this.#client.resetAndDestroy();
  }

  endClient(): void {
    this.#pumps.toClient.push("close");
  }

  dropServer(): void {
    this.#pumps.toServer.stop();
    this.#server.destroy();
  }

  #clientGone(how: "end" | "reset" | "close"): void {
    // A struck statement is the server's to finish; everything else ends with its client.
    if (!this.#session.finishing) this.#pumps.toServer.push(how);
  }
}

function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}
