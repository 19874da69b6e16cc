/** One client's connection through the proxy: its socket, the one to the server, and the conversation between them. */
import { Socket } from "node:net";
import { type Direction, Pump, type Weather } from "./pump.ts";
import { reset } from "./reset.ts";
import type { Moment } from "./rules.ts";
import { Session } from "./session.ts";
import type { SessionLink } from "./session-link.ts";
import type { Strike } from "./strike.ts";

/** How a connection is cut: by a TCP reset, or by a regular end. */
export type CutMode = "reset" | "fin";

/** What a connection asks of its proxy. */
export interface LinkOwner {
  /** Where the server is. */
  readonly target: { readonly host: string; readonly port: number };
  readonly watched: boolean;
  decide(text: string, moment: Moment): Strike | undefined;
  delayOf(direction: Direction, type: number): number;
  readonly standby: boolean | undefined;
}

export class Link implements SessionLink {
  /** Resolves when both sockets are closed. */
  readonly closed: Promise<void>;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #owner: LinkOwner;
  /** Undefined where bytes are not looked at. */
  readonly #session: Session | undefined;
  readonly #pumps: Readonly<Record<Direction, Pump>>;
  #frozen = false;
  #connected = false;

  constructor(client: Socket, owner: LinkOwner, reads: boolean) {
    const server = new Socket({ allowHalfOpen: true });
    this.#client = client;
    this.#server = server;
    this.#owner = owner;
    this.#session = reads ? new Session(this) : undefined;
    this.#pumps = { toServer: new Pump(client, server), toClient: new Pump(server, client) };
    client.setNoDelay(true);
    server.setNoDelay(true);
    client.on("data", (chunk: Buffer) => this.#sent(chunk));
    client.on("end", () => this.#clientGone("end"));
    client.on("error", () => this.#clientGone("reset"));
    client.on("close", () => this.#clientGone("close"));
    server.on("data", (chunk: Buffer) => this.#answered(chunk));
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

  /** Whether its statements cannot be read. */
  get opaque(): boolean {
    return this.#session === undefined || this.#session.opaque;
  }

  get standby(): boolean | undefined {
    return this.#owner.standby;
  }

  setWeather(direction: Direction, weather: Weather): void {
    this.#pumps[direction].weather = weather;
    if (direction === "toServer") this.#frozen = weather.frozen;
    if (!this.#frozen) this.#connect();
  }

  /** Tells the client what it is to believe of `in_hot_standby`. @returns whether that was news. */
  tellStandby(): boolean {
    return this.open && this.#session?.tellStandby() === true;
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

  delay(direction: Direction, ms: number): void {
    this.#pumps[direction].delay(ms);
  }

  decide(text: string, moment: Moment): Strike | undefined {
    return this.#owner.decide(text, moment);
  }

  delayOf(direction: Direction, type: number): number {
    return this.#owner.delayOf(direction, type);
  }

  resetClient(): void {
    this.#pumps.toClient.stop();
    if (!this.#client.destroyed) reset(this.#client);
  }

  endClient(): void {
    this.#pumps.toClient.push("close");
  }

  resetClientLater(): void {
    this.#pumps.toClient.push("reset");
  }

  endServer(): void {
    this.#pumps.toServer.push("close");
  }

  dropServer(): void {
    this.#pumps.toServer.stop();
    this.#server.destroy();
  }

  /** Opens the way to the server. */
  #connect(): void {
    if (this.#connected || this.#server.destroyed) return;
    this.#connected = true;
    const { host, port } = this.#owner.target;
    this.#server.connect(port, host);
  }

  #sent(chunk: Buffer): void {
    if (this.#session === undefined) this.toServer(chunk);
    else this.#session.clientSent(chunk);
  }

  #answered(chunk: Buffer): void {
    if (this.#session === undefined) this.toClient(chunk);
    else this.#session.serverSent(chunk);
  }

  #clientGone(how: "end" | "reset" | "close"): void {
    // A struck statement is the server's to finish; everything else ends with its client.
    if (this.#session?.finishing !== true) this.#pumps.toServer.push(how);
  }
}

function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}
