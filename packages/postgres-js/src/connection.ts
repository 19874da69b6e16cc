/**
 * One connection of postgres.js as the layer sees it: an instance with one link, which never opens another.
 */
import type { ConnectionHome, DriverConnection, QueryResult, Statement, TransactionStatus } from "@breakwater/core";
import { type Parts, PostgresJsAbilities } from "./abilities.ts";
import { cancelRunning } from "./cancel.ts";
import { exchange, type Party } from "./exchange.ts";
import { linkError } from "./link.ts";
import { resultOf } from "./results.ts";
import type { SqlInstance } from "./types.ts";

/** How long a polite goodbye, or a server that has to get ready again, may take, in milliseconds. */
const GOODBYE_MS = 1_000;

/** How long a link that was cut may take to say so, in milliseconds. */
const CUT_MS = 100;

/** 57P01, admin_shutdown; 57P05, idle_session_timeout: the server's last words on a connection. */
const ENDED_BY_SERVER: ReadonlySet<unknown> = new Set(["57P01", "57P05"]);

export class PostgresJsConnection extends PostgresJsAbilities implements DriverConnection {
  readonly driver: SqlInstance;
  readonly #home: ConnectionHome | undefined;
  #held = true;
  #lost = false;
  #closed = false;
  #going: Promise<void> | undefined;
  #refusal: { readonly error: unknown } | undefined;
  #unprocessed: { readonly error: unknown } | undefined;

  /** Without a home it belongs to whoever opened it. */
  constructor(parts: Parts, home: ConnectionHome | undefined) {
    super(parts);
    this.#home = home;
    this.driver = parts.sql;
    parts.link.on("error", this.#onLost);
    parts.link.on("end", () => this.#onLost(undefined));
    parts.link.on("close", () => {
      this.#closed = true;
      this.#onLost(undefined);
    });
  }

  readonly #onLost = (error: unknown): void => {
    if (this.#lost) return;
    this.#lost = true;
    const why = this.#lastWords() ?? error ?? linkError("CONNECTION_CLOSED", this.parts.options);
    for (const listener of this.lostListeners) listener(why);
    if (!this.#held) this.#home?.lost(this, why);
  };

  /** What the server said when it ended the connection, which postgres.js does not pass on. */
  #lastWords(): Error | undefined {
    const { fatal } = this.parts.wire;
    return fatal === undefined ? undefined : new this.driver.PostgresError(fatal);
  }

  /** The number that the other side gave for itself. */
  get processId(): number | undefined {
    return this.parts.wire.key?.readInt32BE(0);
  }

  get usable(): boolean {
    const { link, wire } = this.parts;
    return !this.#lost && wire.fatal === undefined && !link.destroyed && link.writable;
  }

  get transactionStatus(): TransactionStatus {
    return this.parts.wire.status;
  }

  async query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    const { wire, prepared } = this.parts;
    wire.begin();
    this.#refusal = undefined;
    this.#unprocessed = undefined;
    const { text, values = [], rowMode } = statement;
    let prepare = false;
    try {
      if (!this.usable) throw linkError("CONNECTION_CLOSED", this.parts.options);
      prepare = prepared.wants(statement);
      const query = this.driver.unsafe(text, [...values], { prepare, simple: values.length === 0 && !prepare });
      prepared.pin(query, text);
      const answer = await (rowMode === "array" ? query.values() : query);
      if (prepare) prepared.answered(text);
      for (const { command } of wire.tags) prepared.did(command);
      return resultOf(answer, wire.tags) as QueryResult<Row>;
    } catch (error) {
      throw await this.#failed(error, values.length > 0 || prepare);
    }
  }

  /** Waits until the connection is in order again, and learns how far the statement got. */
  async #failed(error: unknown, extended: boolean): Promise<unknown> {
    const { wire, link, prepared } = this.parts;
    // postgres.js writes at the end of the turn.
    await new Promise(setImmediate);
    if (this.usable && !wire.ready) {
      await new Promise<void>((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          link.removeListener("close", end);
          resolve();
        };
        const timer = setTimeout(() => {
          link.destroy();
          end();
        }, GOODBYE_MS);
        wire.whenReady(end);
        link.once("close", end);
      });
    }
    const raised = wire.errors > 0 && wire.fatal !== undefined ? this.#lastWords() : error;
    const { code, routine } = (raised ?? {}) as { readonly code?: unknown; readonly routine?: unknown };
    prepared.failed(code);
    if (wire.executions === 0 && wire.errors === 0 && this.usable) this.#refusal = { error: raised };
    const ended = extended && !wire.bound && ENDED_BY_SERVER.has(code) && routine !== undefined;
    if (ended || (wire.executions === 0 && !this.usable)) this.#unprocessed = { error: raised };
    return raised;
  }

  refused(error: unknown): boolean {
    return this.#refusal !== undefined && this.#refusal.error === error;
  }

  /** It was never written; or the server ended the connection before it had bound the parameters. */
  unprocessed(error: unknown): boolean {
    return this.#unprocessed !== undefined && this.#unprocessed.error === error;
  }

  protected async exchange<P extends Party>(make: () => P, extended: boolean): Promise<P> {
    const { wire, link, prepared, options } = this.parts;
    wire.begin();
    this.#refusal = undefined;
    this.#unprocessed = undefined;
    const lost = (error: unknown): unknown => this.#lastWords() ?? error ?? linkError("CONNECTION_CLOSED", options);
    const raised = (fields: Readonly<Record<string, string>>): Error => new this.driver.PostgresError(fields);
    let party: P | undefined;
    try {
      if (!this.usable) throw lost(undefined);
      if (!wire.ready) throw new Error("postgres.js still waits for an answer on this connection");
      const made = make();
      party = made;
      await exchange({ link, wire, lost, raised }, made).catch((error: unknown) => {
        throw made.failed?.(error) ?? error;
      });
      for (const { command } of wire.tags) prepared.did(command);
      made.check?.();
      return made;
    } catch (error) {
      const failed = await this.#failed(error, extended);
      if (party?.undone !== undefined && party.undone.error === failed) this.#refusal = { error: failed };
      throw failed;
    }
  }

  taken(): void {
    this.#held = true;
    if (this.parts.background) this.parts.link.ref?.();
  }

  async reset(): Promise<void> {
    await this.query({ text: "DISCARD ALL" });
  }

  release(): void {
    if (this.#home === undefined) return;
    this.#held = false;
    if (this.parts.background) this.parts.link.unref?.();
    this.#home.released(this);
  }

  destroy(cancel: boolean): Promise<void> {
    if (this.#going === undefined && !this.#held) return Promise.resolve();
    this.#going ??= this.#destroy(cancel);
    return this.#going;
  }

  async #destroy(cancel: boolean): Promise<void> {
    const { link, wire, options } = this.parts;
    const answering = this.usable;
    const atOnce = !answering || cancel || wire.status !== "idle";
    this.#held = false;
    // From here nobody may send anything over it, not even while the cancel request is under way.
    this.#lost = true;
    if (cancel && answering && wire.key !== undefined) await cancelRunning(options, wire.key);
    this.#home?.gone(this);
    // A polite goodbye waits for the server; one that is gone, or busy with our statement, would keep us waiting.
    if (atOnce) link.destroy();
    else void this.driver.end({ timeout: GOODBYE_MS / 1_000 }).catch(() => undefined);
    await this.#gone();
  }

  #gone(): Promise<void> {
    const { link } = this.parts;
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        link.removeListener("close", end);
        resolve();
      };
      let timer = setTimeout(() => {
        link.destroy();
        timer = setTimeout(end, CUT_MS);
      }, GOODBYE_MS);
      link.prependListener("close", end);
    });
  }
}
