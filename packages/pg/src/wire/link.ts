/**
 * The link of one `pg.Client`, on which statements can be sent past the client: several at once, and with less work for each.
 *
 * It stands between the link and the client's own reader. While statements of ours are under way the client believes that
 * one query of its own is, and everything that is no answer to ours (notices, notifications, settings) is handed to it as
 * it came; for the rest of the time it gets everything. Statements end in the order in which they were sent, each with
 * its own Sync: the failure of one concerns no other (PostgreSQL documentation, 54.2.4, pipelining).
 */
import type { Statement, StatementReceiver } from "@breakwater/core";
import type { PgClient } from "../types.ts";
import type { Types } from "./driver-parts.ts";
import { Exchange, type Group } from "./exchange.ts";
import { checkFields } from "./fields.ts";
import { Frames } from "./frames.ts";
import { Outbox } from "./outbox.ts";
import { PreparedStatements } from "./prepared.ts";
import { staleness } from "./staleness.ts";
import { isPlain } from "./plain.ts";
import { type Insides, insidesOf, type Stream, tap } from "./tap.ts";
import type { Texts } from "./texts.ts";
import { Writer } from "./writer.ts";

const IDLE = 0x49;
/** ReadyForQuery, with each state of the transaction. */
const READY = ["I", "T", "E"].map((status) => Buffer.from(`Z\0\0\0\x05${status}`));

export class WireLink {
  readonly #client: Insides;
  readonly #texts: Texts;
  readonly #types: Types;
  readonly #frames: Frames;
  // To the client's own reader.
  readonly #pass: (bytes: Buffer) => void;
  readonly #outbox = new Outbox();
  readonly #prepared = new PreparedStatements();
  readonly #writer: Writer;
  #stream: Stream | undefined;
  // What was sent and is not answered, the oldest first.
  #head: Exchange | undefined;
  #tail: Exchange | undefined;
  /** Whether the server had begun to carry out the statement that ended last. */
  begun = true;
  /** Whether the link stays ours when nothing is under way, for whoever is about to send more; until `leave`. */
  stays = false;
  // Whether the client has let us in: from then on the link is ours until nothing is under way.
  #open = false;
  // What the server said last, where the client has not heard it yet, since the link stays ours.
  #unheard: Buffer | undefined;
  // When the server began to work on the oldest, as far as can be told.
  #since = 0;
  // The oldest stood behind another one until then.
  #behind = false;

  /**
   * Stands in the way of a client that has not connected yet. Undefined for one that is not made as `pg`'s own. `ownStream`
   * when nobody but `pg` has chosen its stream.
   */
  static of(client: PgClient, texts: Texts, ownStream = false): WireLink | undefined {
    const insides = insidesOf(client);
    return insides === undefined ? undefined : new WireLink(insides, texts, ownStream);
  }

  private constructor(client: Insides, texts: Texts, ownStream: boolean) {
    this.#client = client;
    this.#types = client._types;
    this.#texts = texts;
    this.#writer = new Writer(this.#outbox, this.#prepared, texts);
    const tapping = {
      attached: (stream: Stream): void => {
        this.#stream = stream;
      },
      reached: (ms: number): void => texts.reached(ms),
      arrived: (bytes: Buffer, length: number, lent: boolean): void => this.#frames.arrived(bytes, length, lent),
    };
    this.#pass = tap(client, tapping, ownStream);
    this.#frames = new Frames({
      pass: this.#pass,
      taken: (bytes, at, next) => this.#message(bytes, at, next),
      forgotten: () => this.#prepared.clear(),
    });
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
    this.#writer.write(exchange);
    this.#append(exchange);
  }

  /** Sends what has been written, unless the client has not let us in yet: then its own statement is under way. */
  flush(): void {
    if (!this.#open || this.#outbox.empty) return;
    this.#stream?.write(this.#outbox.take());
  }

  /** The state of the transaction, as the server last said, while the link stays ours with nothing under way. */
  get status(): string | undefined {
    return this.#unheard?.latin1Slice(5, 6);
  }

  /** Leaves the link to the client, if nothing is under way. */
  leave(): void {
    this.stays = false;
    if (this.#unheard === undefined) return;
    const unheard = this.#unheard;
    this.#unheard = undefined;
    this.#open = false;
    this.#frames.leave();
    // The client hears that it is ready again, before anybody else uses it.
    this.#pass(unheard);
  }

  #append(exchange: Exchange): void {
    this.#unheard = undefined;
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

  /** One whole message, while ours are under way. */
  #message(bytes: Buffer, at: number, next: number): void {
    const exchange = this.#head;
    if (exchange === undefined) {
      // Nobody waits for anything: it is the client's.
      this.leave();
      this.#frames.pass(bytes.subarray(at, next));
      return;
    }
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
        exchange.wentWrong(checkFields(bytes.subarray(at, next)));
        break;
      case 0x31: // ParseComplete
        if (exchange.prepared !== undefined) exchange.prepared.confirmed = true;
        break;
      case 0x33: // CloseComplete
        break;
      case 0x53: // ParameterStatus
      case 0x4e: // NoticeResponse
      case 0x41: // NotificationResponse
      case 0x74: // ParameterDescription
        this.#frames.pass(bytes.subarray(at, next));
        break;
      default:
        throw outOfTurn(bytes[at]);
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
    if (next - at !== 6) throw outOfTurn(bytes[at]);
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
      this.#unheard = READY.find((ready) => ready[5] === bytes[at + 5]) ?? Buffer.from(bytes.subarray(at, next));
      if (!this.stays) this.leave();
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
    // What a pooler has from another of its clients may be stale at its first use here.
    if (!reused && !(this.#texts.keptByPooler && prepared.confirmed)) {
      if (!prepared.confirmed) this.#prepared.drop(info, prepared);
      return false;
    }
    const stale = staleness(error, exchange.begun);
    if (stale === undefined) return false;
    if (stale === "lost") {
      this.#prepared.drop(info, prepared);
      // Where the one in front that was to prepare it had failed, nothing was lost.
      if (prepared.confirmed) this.#texts.lost();
    } else this.#texts.changed(info, prepared.generation);
    // In a transaction nothing goes on after an error.
    if (!idle || exchange.healed || exchange.group !== undefined || !this.free) return false;
    exchange.again();
    this.#writer.write(exchange);
    this.#append(exchange);
    this.flush();
    return true;
  }

  /** The link is gone, or the client would not let us in. What was under way hears why. */
  #lost(error: unknown): void {
    let exchange = this.#head;
    this.#head = this.#tail = this.#unheard = undefined;
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

/** The error for a message that no server sends there, in the words of `pg`. */
function outOfTurn(letter: number | undefined): Error {
  return new Error(`received invalid response: ${letter?.toString(16)}, which no server sends there`);
}
