/**
 * A connection that somebody holds until they give it back.
 */
import { UsageError } from "../contract/errors.ts";
import { ConnectionFace } from "../face/connection-face.ts";
import type { FaceHost } from "../face/together.ts";
import type { Connection } from "../contract/pool.ts";

/** A borrowed connection. */
export class HeldConnection extends ConnectionFace {
  readonly #connection: Connection;
  #done: (() => void) | undefined;

  constructor(pool: FaceHost, connection: Connection, done: () => void) {
    super(pool);
    this.#connection = connection;
    this.#done = done;
  }

  /** The driver's own connection. */
  get driver(): unknown {
    return this.#connection.driver;
  }

  protected use(): Connection {
    if (this.#done === undefined)
      throw new UsageError(this.poolName, "a connection was used after it had been released");
    return this.#connection;
  }

  /**
   * Gives the connection back. An open transaction is rolled back before anyone else gets the connection.
   * @throws UsageError when it has been given back before.
   */
  release(): void {
    const done = this.#done;
    if (done === undefined) throw new UsageError(this.poolName, "a connection was released twice");
    this.#done = undefined;
    done();
  }

  /** Gives the connection back to be ended, not reused. @throws UsageError when it has been given back before. */
  destroy(): void {
    // Given back before, it is not ours to discard.
    if (this.#done !== undefined) this.#connection.discard();
    this.release();
  }

  /** Releases it: `using connection = await db.connect()`. */
  [Symbol.dispose](): void {
    if (this.#done !== undefined) this.release();
  }
}
