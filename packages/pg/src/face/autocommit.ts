/**
 * Statements that the holder of a lent client sends on their own, outside a transaction and before anything was done
 * that belongs to the connection.
 *
 * Some libraries borrow a client for each single statement. Where a statement is to be done exactly once, such a one
 * goes through the stack, as one given to `pool.query` does, and over the client that is lent: when that dies, the
 * statement's outcome is looked up, and it is run again elsewhere if nothing was kept.
 */
import type { Dialect, QueryResult, Statement } from "@breakwater/core";
import { throughCallback } from "./callback.ts";
import type { LentClient } from "./client.ts";
import { comesFromStack } from "../held.ts";
import { pgStatement } from "./statement.ts";
import { isSubmittable } from "./submit.ts";

/** Runs one statement through the stack, over a client that is lent. */
export type RunHeld = (statement: Statement, client: LentClient) => Promise<QueryResult>;

export class Autocommit {
  readonly #client: LentClient;
  readonly #dialect: Dialect;
  readonly #run: RunHeld;
  readonly #query: LentClient["query"];
  // From the first statement that needs this very connection everything is sent over it, as the holder says it.
  #pinned = false;
  #last: Promise<unknown> | undefined;

  constructor(client: LentClient, dialect: Dialect, run: RunHeld) {
    this.#client = client;
    this.#dialect = dialect;
    this.#run = run;
    this.#query = client.query;
    client.query = (...given) => this.#asked(given);
  }

  /** Waits for what runs, and leaves the client as it was. */
  async end(): Promise<void> {
    while (this.#last !== undefined) await this.#last;
    // What was there before may have been the class's own method, or another's.
    if (Object.hasOwn(Object.getPrototypeOf(this.#client) as object, "query")) {
      delete (this.#client as Partial<LentClient>).query;
    } else this.#client.query = this.#query;
  }

  get busy(): boolean {
    return this.#last !== undefined;
  }

  #asked(given: Parameters<LentClient["query"]>): unknown {
    const [config, second, third] = given;
    const [values, callback] = typeof second === "function" ? [undefined, second] : [second, third];
    if (comesFromStack(this.#client)) return this.#query.apply(this.#client, given);
    this.#pinned ||= isSubmittable(config) || this.#needsConnection(config);
    if (!this.#pinned)
      return throughCallback(
        this.#inTurn(() => this.#run(pgStatement(config, values), this.#client)),
        callback,
      );
    if (this.#last === undefined) return this.#query.apply(this.#client, given);
    if (isSubmittable(config)) {
      void this.#inTurn(() => Promise.resolve(this.#query.apply(this.#client, given)).then(() => undefined));
      return config;
    }
    const sent = this.#inTurn(() => this.#query.call(this.#client, config, values) as Promise<QueryResult>);
    return throughCallback(sent, callback);
  }

  #needsConnection(config: unknown): boolean {
    const text = typeof config === "string" ? config : (config as { text?: unknown } | null | undefined)?.text;
    return typeof text !== "string" || this.#dialect.classify(text) === "session";
  }

  /** One after another, as the client itself would. */
  #inTurn<T>(send: () => Promise<T>): Promise<T> {
    const sent = this.#last === undefined ? send() : this.#last.then(send, send);
    const over = sent.then(
      () => undefined,
      () => undefined,
    );
    this.#last = over;
    void over.then(() => {
      if (this.#last === over) this.#last = undefined;
    });
    return sent;
  }
}
