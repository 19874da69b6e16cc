/**
 * Makes the messages of one statement: by the name under which it is prepared, or to be prepared, or without one.
 */
import type { Exchange } from "./exchange.ts";
import type { Outbox } from "./outbox.ts";
import type { Prepared, PreparedStatements } from "./prepared.ts";
import type { Texts } from "./texts.ts";

const NONE: readonly unknown[] = [];

export class Writer {
  readonly #outbox: Outbox;
  readonly #prepared: PreparedStatements;
  readonly #texts: Texts;

  constructor(outbox: Outbox, prepared: PreparedStatements, texts: Texts) {
    this.#outbox = outbox;
    this.#prepared = prepared;
    this.#texts = texts;
  }

  /** @throws what the conversion of its values throws; nothing has been written then. */
  write(exchange: Exchange): void {
    const { statement, info } = exchange;
    const values = statement.values ?? NONE;
    const outbox = this.#outbox;
    if (exchange.group === "own") return outbox.query(info.text);
    if (!info.planned) {
      outbox.parse("", info.text);
      outbox.bind("", NONE);
      this.#execute(exchange);
      return;
    }
    const { mark } = outbox;
    let prepared = this.#prepared.find(info);
    // The second time it relies on nothing that may be of no use again: what one in front has yet to prepare.
    const byItself = exchange.healed && prepared?.confirmed === false;
    if (byItself) prepared = undefined;
    exchange.reused = prepared !== undefined;
    let added: Prepared | undefined;
    try {
      if (prepared === undefined && !byItself && this.#texts.prepares(info)) {
        const { prepared: made, closed } = this.#prepared.add(info);
        prepared = added = made;
        for (const name of closed) outbox.close(name);
      }
      if (!exchange.reused) outbox.parse(prepared?.name ?? "", info.text);
      outbox.bind(prepared?.name ?? "", values);
    } catch (error) {
      outbox.undo(mark);
      if (added !== undefined) this.#prepared.drop(info, added);
      throw error;
    }
    if (prepared?.plan === undefined || this.#texts.keptByPooler) outbox.describe();
    this.#execute(exchange);
    exchange.prepared = prepared;
  }

  #execute({ group }: Exchange): void {
    if (group === "more") this.#outbox.execute();
    else this.#outbox.executeAndSync();
  }
}
