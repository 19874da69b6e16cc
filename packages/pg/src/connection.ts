/**
 * One `pg.Client` as the layer sees it.
 */
import type {
  Carrier,
  DriverConnection,
  QueryResult,
  Statement,
  StatementReceiver,
  TransactionStatus,
} from "@breakwater/core";
import { PgAbilities } from "./batch-abilities.ts";
import { cancelRunning } from "./cancel.ts";
import type { ClientHome } from "./client-home.ts";
import { goodbye } from "./goodbye.ts";
import { forgetPrepared } from "./prepared.ts";
import type { PgClient } from "./types.ts";
import { flight } from "./wire/flight.ts";
import { whenReady } from "./when-ready.ts";
import { WireCarrier } from "./wire/carrier.ts";
import type { WireLink } from "./wire/link.ts";

const STATUS: Readonly<Record<string, TransactionStatus>> = { I: "idle", T: "open", E: "failed" };

/** What pg says when `query_timeout` has passed. The statement still runs. */
const UNANSWERED = "Query read timeout";

/**
 * SQLSTATEs after which pg goes on believing that the server knows a prepared statement, or that it does not: 26000,
 * 42P05, and 0A000 "cached plan must not change result type".
 */
const OUT_OF_STEP: ReadonlySet<unknown> = new Set(["26000", "42P05", "0A000"]);

/** 57P01, admin_shutdown; 57P05, idle_session_timeout: the server's last words on a connection. */
const ENDED_BY_SERVER: ReadonlySet<unknown> = new Set(["57P01", "57P05"]);

export class PgConnection extends PgAbilities implements DriverConnection {
  readonly driver: PgClient;
  readonly carrier: Carrier | undefined;
  /** Set when the connection must not be handed out again, whatever state it is in. */
  retired = false;
  /** Whether somebody holds it now. */
  held = true;
  readonly #home: ClientHome | undefined;
  readonly #wire: WireLink | undefined;
  #lost = false;
  #going: Promise<void> | undefined;
  #ended = false;
  // A statement was given up by pg itself, and still runs.
  #unanswered = false;
  // The server has begun to carry out the last statement: it has bound its parameters. Undefined when the wire knows.
  #bound: boolean | undefined = true;
  // As ReadyForQuery said, where pg does not tell (before 8.17).
  #status: string | undefined;

  /** Without a home the client belongs to no pool, and whoever opened it keeps it. `wire` is the way past it, if any. */
  constructor(client: PgClient, home?: ClientHome, wire?: WireLink) {
    super();
    this.driver = client;
    this.#home = home;
    this.#wire = wire;
    if (wire !== undefined) {
      this.carrier = new WireCarrier(wire, {
        sending: () => this.#sending(),
        unbegun: (cut) => this.#unbegun(cut),
      });
    }
    // Without a listener an error of a connection in use would end the process. Its statement hears of it as well.
    client.on("error", this.#onError);
    client.on("end", this.#onEnd);
    client.connection?.on("bindComplete", this.#onBound);
    if (client.getTransactionStatus === undefined) client.connection?.on("readyForQuery", this.#onReady);
  }

  /** Leaves nothing of itself on a client that others go on using. */
  forget(): void {
    this.driver.removeListener("error", this.#onError);
    this.driver.removeListener("end", this.#onEnd);
    this.driver.connection?.removeListener("bindComplete", this.#onBound);
    this.driver.connection?.removeListener("readyForQuery", this.#onReady);
  }

  readonly #onError = (error: unknown): void => {
    if (this.#lost) return;
    this.#lost = true;
    if (!this.held) this.#home?.lost?.(error);
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#onError(new Error("Connection terminated unexpectedly"));
  };

  readonly #onBound = (): void => {
    this.#bound = true;
  };

  readonly #onReady = (message?: { readonly status?: string }): void => {
    this.#status = message?.status;
  };

  get usable(): boolean {
    const { _queryable, _ending, connection } = this.driver;
    const stream = connection?.stream;
    return (
      !this.#lost &&
      _queryable !== false &&
      _ending !== true &&
      stream?.destroyed !== true &&
      stream?.writable !== false
    );
  }

  get transactionStatus(): TransactionStatus {
    const { driver } = this;
    const ours = this.#wire?.status;
    if (ours === undefined && driver.readyForQuery === false) return "unknown";
    const status = ours ?? driver.getTransactionStatus?.() ?? this.#status;
    return status === undefined ? "unknown" : (STATUS[status] ?? "unknown");
  }

  query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    const wire = this.#wire;
    if (statement.parts !== undefined && wire?.free === true) {
      this.refusal = undefined;
      this.#bound = true;
      return flight(wire, statement.parts) as Promise<unknown> as Promise<QueryResult<Row>>;
    }
    if (wire?.takes(statement) === true) return this.#overWire(wire, statement) as Promise<QueryResult<Row>>;
    wire?.leave();
    return new Promise((resolve, reject) => {
      let over = false;
      let sending = true;
      this.refusal = undefined;
      // Without parameters and name it goes by the simple protocol, which does not tell how far the server came.
      this.#bound = (statement.values?.length ?? 0) === 0 && statement.name === undefined;
      const answered = (error: unknown, result: unknown): void => {
        // When it cannot make a message of the parameters, pg calls with the error, and again when the server is ready.
        if (over) return;
        over = true;
        if (error === null || error === undefined) {
          forgetPrepared(this.driver, statement.text, result as QueryResult);
          resolve(result as QueryResult<Row>);
          return;
        }
        if (sending) this.refusal = { error };
        if (statement.name !== undefined && (sending || OUT_OF_STEP.has(peek(error, "code")))) this.retired = true;
        this.#whenReady(error, () => reject(error));
      };
      try {
        this.driver.query(statement, answered);
      } catch (error) {
        answered(error, undefined);
      }
      sending = false;
    });
  }

  #overWire(wire: WireLink, statement: Statement): Promise<QueryResult> {
    return new Promise((resolve, reject) => {
      try {
        this.#wired(wire, statement, { answered: resolve, failed: reject });
        wire.flush();
      } catch (error) {
        this.refusal = { error };
        reject(error);
      }
    });
  }

  send(statement: Statement, receiver: StatementReceiver): boolean {
    const wire = this.#wire;
    if (wire?.takes(statement) !== true) return false;
    this.#wired(wire, statement, receiver);
    // Nobody else comes to the client before it goes back.
    wire.stays = true;
    return true;
  }

  #wired(wire: WireLink, statement: Statement, receiver: StatementReceiver): void {
    this.#sending();
    wire.send(statement, receiver);
  }

  #sending(): void {
    this.refusal = undefined;
    this.#bound = undefined;
  }

  /** What begins a transaction has failed; `cut` where something waits in the client that must not be carried out without it. */
  #unbegun(cut: boolean): void {
    this.#bound = true;
    if (cut) this.driver.connection?.stream?.destroy();
  }

  flush(): void {
    this.#wire?.flush();
  }

  /**
   * The server answers in order, and says BindComplete before it executes: a FATAL error instead means that it had been
   * told to end before it came to the statement (PostgreSQL documentation, 54.2.3, extended query).
   */
  unprocessed(error: unknown): boolean {
    const begun = this.#bound ?? this.#wire?.begun;
    return begun === false && ENDED_BY_SERVER.has(peek(error, "code")) && peek(error, "routine") !== undefined;
  }

  taken(): void {
    this.held = true;
    this.#home?.lent?.();
    if (this.#home?.background === true) this.driver.ref?.();
  }

  /** `DISCARD ALL`, and pg forgets as well what it has prepared. */
  async reset(): Promise<void> {
    await this.query({ text: "DISCARD ALL" });
  }

  release(): void {
    if (this.#home === undefined) return;
    this.#wire?.leave();
    this.held = false;
    if (this.#home.background === true) this.driver.unref?.();
    if (this.retired) this.#going ??= this.#end(true);
    else this.#handBack(false);
  }

  destroy(cancel: boolean): Promise<void> {
    // Whoever else wants it gone waits for the same end.
    if (this.#going === undefined && !this.held) return Promise.resolve();
    this.#going ??= this.#destroy(cancel);
    return this.#going;
  }

  async #destroy(cancel: boolean): Promise<void> {
    const answering = this.usable;
    // What is under way is answered before the client is let in.
    if (this.#wire?.status !== undefined) this.#wire.leave();
    const atOnce = !answering || this.transactionStatus !== "idle" || cancel;
    this.held = false;
    this.retired = true;
    // From here nobody may send anything over it, not even while the cancel request is under way.
    this.#lost = true;
    if ((cancel || this.#unanswered) && answering) await cancelRunning(this.driver);
    await this.#end(atOnce);
  }

  /** Ends the link of a connection that nobody holds. The pool hears of it as of any lost connection. */
  cut(): void {
    this.retired = true;
    this.driver.connection?.stream?.destroy();
  }

  async #end(atOnce: boolean): Promise<void> {
    const { connection } = this.driver;
    if (this.#home === undefined) this.driver.end().catch(() => undefined);
    else this.#handBack(true);
    // A polite goodbye waits for the server; one that is gone, or busy with our statement, would keep us waiting.
    if (atOnce) connection?.stream?.destroy();
    await this.gone();
  }

  #handBack(destroy: boolean): void {
    try {
      this.#home?.giveBack(destroy);
    } catch {
      // Whoever borrowed it has released it past us, through the driver's own client: it is the pool's already.
    }
  }

  /** Resolves when the link has ended: by the server's own goodbye, or cut after a limit. */
  gone(): Promise<void> {
    return this.#ended ? Promise.resolve() : goodbye(this.driver);
  }

  /** Waits until an error of `pg`'s own is the whole of what there is to know, where more is to come. */
  #whenReady(error: unknown, then: () => void): void {
    const { driver } = this;
    // The server may never be ready.
    const unanswered = peek(error, "message") === UNANSWERED;
    if (driver.connection === undefined || driver.readyForQuery !== false || !this.usable) then();
    else if (unanswered) {
      this.#unanswered = true;
      then();
    } else whenReady(driver, this.refusal !== undefined, then);
  }
}

function peek(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}
