/**
 * Whether a transaction is open, as the server last said.
 *
 * Each answer ends with flags, an error excepted. mysql2 hands those of statements without rows on; those behind rows are
 * looked at as they pass.
 */
import { isHeader } from "./result.ts";
import type { Mysql2Client } from "./types.ts";

/** Flags of MySQL's client protocol, SERVER_STATUS_flags_enum. */
const IN_TRANSACTION = 0x0001;
const AUTOCOMMIT = 0x0002;

export class ServerStatus {
  #flags = AUTOCOMMIT;

  constructor(client: Mysql2Client) {
    const { handlePacket } = client;
    if (handlePacket === undefined) return;
    client.handlePacket = (packet) => {
      if (packet?.isEOF() === true) this.#flags = packet.eofStatusFlags();
      handlePacket.call(client, packet);
    };
  }

  get inTransaction(): boolean {
    return (this.#flags & IN_TRANSACTION) !== 0;
  }

  /** Whether statements outside a transaction are committed as they end. */
  get autocommits(): boolean {
    return (this.#flags & AUTOCOMMIT) !== 0;
  }

  /** Takes what mysql2 answered with: of several answers the last counts. */
  answered(rows: unknown): void {
    const last: unknown = Array.isArray(rows) ? rows.at(-1) : rows;
    if (isHeader(last) && typeof last.serverStatus === "number") this.#flags = last.serverStatus;
  }

  /** A new session. */
  reset(): void {
    this.#flags = AUTOCOMMIT;
  }
}
