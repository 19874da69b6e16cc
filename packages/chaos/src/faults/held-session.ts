/** A session of the script's own on a server, kept open until it is ended: it takes a slot, holds a lock, or runs for long. */
import { Socket } from "node:net";
import { Client } from "pg";
import type { ClusterNode } from "../cluster/node.ts";
import { within } from "../wait.ts";

export class HeldSession {
  readonly #client: Client;
  readonly #socket: Socket;

  private constructor(client: Client, socket: Socket) {
    this.#client = client;
    this.#socket = socket;
  }

  /**
   * Opens a session past the node's proxy; it says `purpose` as its application_name.
   *
   * @throws the driver's error; ChaosError ERR_BREAKWATER_CHAOS_TIMEOUT when the server does not answer within 10 s.
   */
  static async open(node: ClusterNode, purpose: string): Promise<HeldSession> {
    // The socket is ours, so that it can be closed also when the server does not answer any more.
    const socket = new Socket();
    const client = new Client({
      connectionString: node.directConnectionString,
      application_name: purpose,
      stream: () => socket,
    });
    client.on("error", () => {});
    const session = new HeldSession(client, socket);
    try {
      await within(`a session on ${node.name}`, client.connect(), limitMs, () => node.logTail());
    } catch (error) {
      session.end();
      throw error;
    }
    return session;
  }

  /** Of the server's process. */
  get pid(): number {
    return (this.#client as unknown as { readonly processID: number }).processID;
  }

  /** @throws the driver's error; ChaosError ERR_BREAKWATER_CHAOS_TIMEOUT when there is no answer within 10 s. */
  async query<R>(text: string): Promise<R[]> {
    const result = await within(`an answer to "${text}"`, this.#client.query(text), limitMs);
    return result.rows as R[];
  }

  /** Runs a statement for as long as it takes. */
  async run(text: string): Promise<void> {
    await this.#client.query(text);
  }

  /** Closes the connection at once; idempotent. What the session holds, the server then lets go. */
  end(): void {
    if (this.#socket.writable && !this.#socket.connecting) this.#socket.end(terminate);
    this.#socket.destroySoon();
    setImmediate(() => this.#socket.destroy());
  }
}

/** Longest wait for the server, in milliseconds. */
const limitMs = 10_000;

/** Terminate: polite, as a server logs connections that just vanish. */
const terminate = Buffer.from([0x58, 0, 0, 0, 4]);
