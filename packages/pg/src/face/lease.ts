/**
 * One client of `pg`, lent until it is released.
 */
import { Completion, type Connection } from "@breakwater/core";
import type { Autocommit } from "./autocommit.ts";
import { type LentClient, type Release, finishWork, isBusy } from "./client.ts";

/** Who hears of a client's coming and going, as listeners of a `pg.Pool` do. */
export interface LeaseHost {
  acquired(client: LentClient): void;
  released(error: unknown, client: LentClient): void;
  /** What takes its single statements through the stack; undefined where they go to the server as they are. */
  autocommit?(lease: Lease): Autocommit | undefined;
}

/** A client in somebody's hands. While it lasts, `client.release` is ours; the pool below puts its own there anew. */
export class Lease {
  readonly client: LentClient;
  /** Ends when the client may be given back. */
  readonly ended: Completion = new Completion();
  readonly release: Release;
  readonly #connection: Connection;
  readonly #host: LeaseHost;
  readonly #autocommit: Autocommit | undefined;
  #released = false;

  constructor(connection: Connection, host: LeaseHost) {
    this.client = connection.driver as LentClient;
    this.#connection = connection;
    this.#host = host;
    // It stays in place afterwards: until the pool below lends the client again, a second release is a mistake.
    this.release = (error) => this.#release(error);
    this.client.release = this.release;
    this.#autocommit = host.autocommit?.(this);
    host.acquired(this.client);
  }

  #release(error: unknown): void {
    if (this.#released) throw new Error("Release called on client which has already been released to the pool.");
    this.#released = true;
    this.#host.released(error, this.client);
    if (this.#autocommit === undefined) this.#giveBack(error);
    else void this.#autocommit.end().then(() => this.#giveBack(error));
  }

  #giveBack(error: unknown): void {
    if (error) this.#end(false);
    else if (isBusy(this.client)) void finishWork(this.client).then((finished) => this.#end(finished));
    else this.#end(true);
  }

  /** Its link is dead: others may have its place, although its holder has not released it yet. */
  abandon(): void {
    this.#end(false);
  }

  #end(reusable: boolean): void {
    if (!reusable) this.#connection.discard();
    this.ended.complete();
  }
}
