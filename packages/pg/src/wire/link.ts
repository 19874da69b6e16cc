/**
 * The link of one `pg.Client`, on which statements can be sent past the client: several at once, and with less work for each.
 *
 * It stands between the link and the client's own reader. While statements of ours are under way the client believes that
 * one query of its own is, and everything that is no answer to ours (notices, notifications, settings) is handed to it as
 * it came; for the rest of the time it gets everything. Statements end in the order in which they were sent, each with
 * its own Sync: the failure of one concerns no other (PostgreSQL documentation, 54.2.4, pipelining).
 */
import { EventEmitter } from "node:events";
import type { Statement, StatementReceiver } from "@breakwater/core";
import type { PgClient } from "../types.ts";
import type { Types } from "./driver-parts.ts";
import { Exchange, type Group } from "./exchange.ts";
import { Frames } from "./frames.ts";
import { Outbox } from "./outbox.ts";
import { type Prepared, PreparedStatements } from "./prepared.ts";
import { staleness } from "./staleness.ts";
import { isPlain } from "./plain.ts";
import type { Texts } from "./texts.ts";

const NONE: readonly unknown[] = [];
const IDLE = 0x49;

interface Stream extends EventEmitter {
  write(bytes: Uint8Array): boolean;
  destroy(): void;
  readonly writable: boolean;
}

/** The parts of a client that are not public, and that it has had since 8.0. */
interface Insides extends PgClient {
  readonly _types?: Types;
  readonly binary?: unknown;
  readonly pipeline?: unknown;
  readonly connectionParameters?: { readonly query_timeout?: unknown };
  readonly connection?: PgClient["connection"] & { attachListeners?: (stream: Stream) => void };
}

export class WireLink {
  readonly #client: Insides;
  readonly #texts: Texts;
  readonly #types: Types;
  readonly #frames: Frames;
  readonly #outbox = new Outbox();
  readonly #prepared = new PreparedStatements();
  #stream: Stream | undefined;
  // What was sent and is not answered, the oldest first.
  #head: Exchange | undefined;
  #tail: Exchange | undefined;
  /** Whether the server had begun to carry out the statement that ended last. */
  begun = true;
  // Whether the client has let us in: from then on the link is ours until nothing is under way.
  #open = false;
  // When the server began to work on the oldest, as far as can be told.
  #since = 0;
  // The oldest stood behind another one until then.
  #behind = false;

  /** Stands in the way of a client that has not connected yet. Undefined for one that is not made as `pg`'s own. */
  static of(client: PgClient, texts: Texts): WireLink | undefined {
    const insides = client as Insides;
    const { connection, connectionParameters, _types: types } = insides;
    if (typeof connection?.attachListeners !== "function" || types === undefined) return undefined;
    // What the client is to do with each of its queries would not be done with ours.
    if (insides.binary || insides.pipeline || connectionParameters?.query_timeout) return undefined;
    return new WireLink(insides, types, connection.attachListeners, texts);
  }

  private constructor(client: Insides, types: Types, attach: (stream: Stream) => void, texts: Texts) {
    this.#client = client;
    this.#types = types;
    this.#texts = texts;
    const reader = new EventEmitter() as Stream;
    this.#frames = new Frames({
      pass: (bytes) => void reader.emit("data", bytes),
      taken: (bytes, at, next) => this.#message(bytes, at, next),
      forgotten: () => this.#prepared.clear(),
    });
    const { connection } = client as { connection: { attachListeners: (stream: Stream) => void } };
    const begun = performance.now();
    connection.attachListeners = (stream) => {
      this.#stream = stream;
      attach.call(connection, reader);
      stream.once("data", () => texts.reached(performance.now() - begun));
      stream.on("data", (bytes: Buffer) => this.#frames.arrived(bytes));
    };
  }

  /** Whether a statement can be sent: it is one that is planned, the link is there, and between two messages. */
  takes(statement: Statement): boolean {
    return this.free && isPlain(statement) && this.#texts.of(statement.text).planned;
  }

  /** Whether something can be sent at this moment. */
  get free(): boolean {
    // While the client is busy with something of its own, ours would have to wait for it.
    const free = this.#open || this.#client.readyForQuery === true;
    return free && this.#stream?.writable === true && this.#frames.clean;
  }

  /**
   * Sends a statement behind those that are under way. Without `flush` it leaves with whatever is sent until then.
   * @throws what the conversion of its values throws; nothing has been sent then.
   */
  send(statement: Statement, receiver: StatementReceiver, group?: Group): void {
    const info = this.#texts.of(statement.text);
    info.uses += 1;
    const exchange = new Exchange(statement, info, receiver, group);
    this.#write(exchange);
    this.#append(exchange);
  }

  /** Sends what has been written, unless the client has not let us in yet: then its own statement is under way. */
  flush(): void {
    if (!this.#open || this.#outbox.empty) return;
    this.#stream?.write(this.#outbox.take());
  }

  #append(exchange: Exchange): void {
    exchange.sentAt = performance.now();
    if (this.#tail !== undefined) this.#tail.next = exchange;
    else {
      this.#head = exchange;
      this.#since = exchange.sentAt;
      this.#behind = false;
    }
    this.#tail = exchange;
    if (!this.#open && this.#head === exchange) this.#client.query(this.#turn, undefined as never);
  }

  /** What the client takes for its query while ours are under way. */
  readonly #turn = {
    submit: (): null => {
      this.#open = true;
      this.#frames.take();
      return null;
    },
    handleError: (error: unknown): void => this.#lost(error),
    handleReadyForQuery: (): void => undefined,
  };

  #write(exchange: Exchange): void {
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
    if (prepared?.plan === undefined) outbox.describe();
    this.#execute(exchange);
    exchange.prepared = prepared;
  }

  #execute({ group }: Exchange): void {
    if (group === "more") this.#outbox.execute();
    else this.#outbox.executeAndSync();
  }

  /** One whole message, while ours are under way. */
  #message(bytes: Buffer, at: number, next: number): void {
    const exchange = this.#head as Exchange;
    switch (bytes[at]) {
      case 0x44: // DataRow
        exchange.row(bytes, at + 5, this.#types);
        break;
      case 0x32: // BindComplete
        exchange.begun = true;
        break;
      case 0x43: // CommandComplete; its tag ends with a zero
        exchange.completed(bytes, at + 5, next - 1);
        if (exchange.group !== "more") break;
        this.#takeOut(exchange);
        exchange.end(this.#types);
        break;
      case 0x5a: // ReadyForQuery
        this.#ready(exchange, bytes, at, next);
        break;
      case 0x54: // RowDescription
        exchange.described(bytes.subarray(at, next));
        break;
      case 0x6e: // NoData
        exchange.withoutRows();
        break;
      case 0x45: // ErrorResponse
        exchange.wentWrong(bytes.subarray(at, next));
        break;
      case 0x31: // ParseComplete
        if (exchange.prepared !== undefined) exchange.prepared.confirmed = true;
        break;
      case 0x33: // CloseComplete
        break;
      default:
        this.#frames.pass(bytes.subarray(at, next));
    }
  }

  #takeOut(exchange: Exchange): void {
    this.#head = exchange.next;
    exchange.next = undefined;
    if (this.#head === undefined) this.#tail = undefined;
  }

  /** What stands behind one that failed, up to the Sync, has not been carried out. */
  #skip(failed: Exchange): void {
    for (let skipped = failed; skipped.group === "more";) {
      skipped = this.#head as Exchange;
      this.#takeOut(skipped);
      if (skipped.prepared?.confirmed === false) this.#prepared.drop(skipped.info, skipped.prepared);
      skipped.error = failed.error;
      skipped.end(this.#types);
    }
  }

  #ready(exchange: Exchange, bytes: Buffer, at: number, next: number): void {
    const idle = bytes[at + 5] === IDLE;
    this.#takeOut(exchange);
    if (exchange.group === "more") this.#skip(exchange);
    if (exchange.error !== undefined && this.#sendAgain(exchange, idle)) return;
    const now = performance.now();
    if (exchange.group === undefined)
      this.#texts.took(exchange.info, now - this.#since, this.#behind ? now - exchange.sentAt : undefined);
    this.#since = now;
    this.#behind = this.#head !== undefined;
    if (this.#head === undefined) {
      this.#open = false;
      this.#frames.leave();
      // The client hears that it is ready again, before anybody else uses it.
      this.#frames.pass(bytes.subarray(at, next));
    } else if (!idle && exchange.group === undefined) {
      // Statements that share a link open no transactions. Whatever this is, nothing may go on in it.
      this.#stream?.destroy();
    }
    this.begun = exchange.begun;
    exchange.end(this.#types);
  }

  /** Sends a statement anew that failed since what was prepared for it is of no use: it has not been carried out. */
  #sendAgain(exchange: Exchange, idle: boolean): boolean {
    const { info, prepared, error, reused } = exchange;
    if (prepared === undefined) return false;
    if (!reused) {
      if (!prepared.confirmed) this.#prepared.drop(info, prepared);
      return false;
    }
    const stale = staleness(error, exchange.begun);
    if (stale === undefined) return false;
    if (stale === "lost") {
      this.#prepared.drop(info, prepared);
      // Where the one in front that was to prepare it had failed, nothing was lost.
      if (prepared.confirmed) this.#texts.lost();
    } else if (info.generation === prepared.generation) info.generation += 1;
    // In a transaction nothing goes on after an error.
    if (!idle || exchange.healed || exchange.group !== undefined || !this.free) return false;
    exchange.again();
    this.#write(exchange);
    this.#append(exchange);
    this.flush();
    return true;
  }

  /** The link is gone, or the client would not let us in. What was under way hears why. */
  #lost(error: unknown): void {
    let exchange = this.#head;
    this.#head = this.#tail = undefined;
    this.#open = false;
    this.#frames.leave();
    for (let next; exchange !== undefined; exchange = next) {
      ({ next } = exchange);
      exchange.next = undefined;
      exchange.error ??= error;
      this.begun = exchange.begun;
      exchange.end(this.#types);
    }
  }
}
