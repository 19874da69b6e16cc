/** Which text stands behind the names of a session's prepared statements and portals. */
import { client, cString } from "./messages.ts";

const header = 5;

export class Prepared {
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, string>();

  /** @returns the text that a Parse prepares. */
  parse(bytes: Buffer): string {
    const name = cString(bytes, header);
    const text = cString(bytes, header + 1 + Buffer.byteLength(name));
    this.#statements.set(name, text);
    return text;
  }

  bind(bytes: Buffer): void {
    const portal = cString(bytes, header);
    const statement = cString(bytes, header + 1 + Buffer.byteLength(portal));
    this.#portals.set(portal, this.#statements.get(statement) ?? "");
  }

  close(bytes: Buffer): void {
    const isStatement = bytes[header] === client.sync; // "S", as in Sync
    (isStatement ? this.#statements : this.#portals).delete(cString(bytes, header + 1));
  }

  /** @returns the text that an Execute runs; empty when it is not known. */
  executed(bytes: Buffer): string {
    return this.#portals.get(cString(bytes, header)) ?? "";
  }

  /** Portals end with their transaction. */
  endTransaction(): void {
    this.#portals.clear();
  }
}
