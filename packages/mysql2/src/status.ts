/**
 * Whether a transaction is open, as the server last said.
 *
 * Each answer tells it by flags, an error excepted. mysql2 hands those of statements without rows on, to whoever sent them;
 * the others are looked at as they pass, and so are those of statements that were sent past us.
 */
import { isHeader } from "./result.ts";
import type { Mysql2Client, Mysql2Packet } from "./types.ts";

/** Flags of MySQL's client protocol, SERVER_STATUS_flags_enum. */
const IN_TRANSACTION = 0x0001;
const AUTOCOMMIT = 0x0002;

/** How many bytes follow the first of a length-encoded number, by that one (client protocol, basic types). */
const MORE_BYTES: Readonly<Record<number, number>> = { 0xfc: 2, 0xfd: 3, 0xfe: 8 };

export class ServerStatus {
  readonly #client: Mysql2Client;
  #flags = AUTOCOMMIT;

  constructor(client: Mysql2Client) {
    this.#client = client;
    const { handlePacket } = client;
    if (handlePacket === undefined) return;
    client.handlePacket = (packet) => {
      if (packet !== undefined) this.#flags = this.#flagsOf(packet) ?? this.#flags;
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

  /** Whether mysql2 waits for an answer. */
  get busy(): boolean {
    return Boolean(this.#client._command);
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

  #flagsOf(packet: Mysql2Packet): number | undefined {
    if (packet.isEOF()) return packet.eofStatusFlags();
    const { buffer, offset, end, sequenceId } = packet;
    // The first answer to a statement, which alone has a text: an OK packet, behind whose two numbers are the flags.
    const isOk = sequenceId === 1 && buffer[offset] === 0 && typeof this.#client._command?.sql === "string";
    if (!isOk) return undefined;
    let at = offset + 1;
    for (let number = 0; number < 2; number += 1) at += 1 + (MORE_BYTES[buffer[at] ?? 0] ?? 0);
    return at + 2 <= end ? buffer.readUInt16LE(at) : undefined;
  }
}
