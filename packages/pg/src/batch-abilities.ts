/**
 * What a connection of `pg` can do besides single statements.
 */
import type { DriverAbilities, DriverCursor, DriverNotification, QueryResult, Statement } from "@breakwater/core";
import { Many } from "./batch-many.ts";
import { Batch } from "./batch.ts";
import { CopyIn, CopyOut } from "./copy.ts";
import { PortalCursor } from "./cursor.ts";
import { hearNotifications } from "./notifications.ts";
import type { PgClient } from "./types.ts";

/** What `pg` submits. Told from a statement by having something of its own. */
export interface Submission extends Statement {
  readonly submittable: true;
}

export abstract class PgAbilities implements DriverAbilities {
  abstract readonly driver: PgClient;
  // What the driver itself said of the last statement: that it did not send it.
  protected refusal: { readonly error: unknown } | undefined;

  abstract query<Row>(statement: Statement): Promise<QueryResult<Row>>;

  refused(error: unknown): boolean {
    return this.refusal !== undefined && this.refusal.error === error;
  }

  /** Sends something of `pg`'s Submittable kind. What cannot be made has not been sent. */
  submit<R>(make: () => Submission): Promise<R> {
    let made: Submission;
    try {
      made = make();
    } catch (error) {
      this.refusal = { error };
      return Promise.reject(error);
    }
    return this.query(made) as Promise<unknown> as Promise<R>;
  }

  queryAll(statements: readonly Statement[]): Promise<readonly QueryResult[]> | undefined {
    return this.#open ? this.submit(() => new Batch(this.driver, statements)) : undefined;
  }

  executeMany(text: string, rows: readonly (readonly unknown[])[]): Promise<number> | undefined {
    return this.#open ? this.submit(() => new Many(text, rows)) : undefined;
  }

  /** The native binding shows nothing of the protocol, and a pipeline would let others in between. */
  get #open(): boolean {
    return this.driver.connection !== undefined && this.driver.pipeline !== true;
  }

  cursor(statement: Statement): DriverCursor | undefined {
    return this.#open ? new PortalCursor(this, statement) : undefined;
  }

  copyFrom(text: string, source: AsyncIterable<Uint8Array | string>): Promise<number> {
    return this.submit(() => new CopyIn(text, source));
  }

  copyTo(text: string, take: (chunk: Uint8Array) => Promise<void> | undefined): Promise<number> {
    return this.submit(() => new CopyOut(text, take));
  }

  onNotification(heard: (notification: DriverNotification) => void, lost: (error: unknown) => void): () => void {
    return hearNotifications(this.driver, heard, lost);
  }
}
