/**
 * How a call comes to its connection: who waits, in what order, how long, and what becomes of a connection that arrives
 * after its caller has left.
 */
import { bounded, type WaitLimits } from "../waiting/bounded.ts";
import type { Clock } from "../waiting/clock.ts";
import type { Dialect } from "../contract/dialect.ts";
import type { Driver, DriverConnection } from "../contract/driver.ts";
import { PoolClosedError, PoolFullError, TimeoutError } from "../contract/errors.ts";
import { noteFailure, recordedFailure } from "../contract/failure.ts";
import type { OperationContext } from "../contract/operation.ts";
import { Permits } from "../waiting/permits.ts";
import { noteConnection } from "../trace/trace-connection.ts";

/** Whose connections they are. */
export interface SourceHost {
  readonly name: string;
  readonly dialect: Dialect;
  readonly clock: Clock;
  /** Connections whose calls have ended, and which are tidied up or ended before others may have their places. */
  readonly returning: number;
}

/** What a wait needs to know of the call that waits. */
export type Waiting = Pick<OperationContext, "deadline" | "signal" | "access" | "trace">;

export class ConnectionSource {
  readonly permits: Permits;
  readonly #driver: Driver;
  readonly #host: SourceHost;
  readonly #acquireTimeoutMs: number;
  readonly #maxQueued: number;
  // Calls on their way to a connection, each with the way to send it back.
  readonly #waiting = new Set<(reason: Error) => void>();
  // Probes on theirs. They find out whether a node answers, and are not sent back because it has not done so yet.
  readonly #probing = new Set<(reason: Error) => void>();
  // One connection of its own for probes, kept between them. A probe takes it away; one that finds none opens another.
  #probe: DriverConnection | undefined;
  // Connections of probes that have been told to end.
  readonly #ending = new Set<Promise<void>>();
  // Connections on their way whose callers have left. They have their permits.
  #unclaimed = 0;
  #closed = false;

  constructor(driver: Driver, host: SourceHost, acquireTimeoutMs: number, maxQueued: number) {
    this.#driver = driver;
    this.#host = host;
    this.#acquireTimeoutMs = acquireTimeoutMs;
    this.#maxQueued = maxQueued;
    this.permits = new Permits(driver.max);
  }

  /** A connection with a permit, which is to be released after it. Without a promise when there is an idle one. */
  take(call: Waiting, nowMs: number = this.#host.clock.now()): DriverConnection | Promise<DriverConnection> {
    if (call.trace !== undefined) return noteConnection(call.trace, this, () => this.#take(call, nowMs));
    return this.#take(call, nowMs);
  }

  /** Whether a connection that has nothing to do may stay out for a moment: nobody waits for one, and it can serve again. */
  get mayStay(): boolean {
    return this.permits.waiting === 0 && this.#driver.again !== undefined;
  }

  /** Whether a connection that is out may serve once more without going back: nobody waits for one, and it is well. */
  again(connection: DriverConnection, now: number): boolean {
    return this.mayStay && this.#driver.again?.(connection, now) === true;
  }

  get pool(): string {
    return this.#host.name;
  }

  #take(call: Waiting, nowMs: number): DriverConnection | Promise<DriverConnection> {
    const limit = this.limitOf(call, nowMs);
    if (this.permits.tryTake()) return this.#connection(call, limit);
    if (this.isFull(1)) throw this.full();
    return this.#queued(call, limit);
  }

  /** How long a call may wait that begins to now. */
  limitOf({ deadline }: Pick<OperationContext, "deadline">, nowMs: number): number {
    return Math.min(deadline, nowMs + this.#acquireTimeoutMs);
  }

  /**
   * Whether so many may not wait, besides those who wait already. Not counted are those for whom there is a connection that
   * nobody uses: one that may still be opened, that is opened for somebody who has left, that is idle again before its
   * permit is back, or that is tidied up or ended.
   */
  isFull(count: number): boolean {
    const { max, taken, waiting } = this.permits;
    const queued = waiting + Math.max(0, count - Math.max(0, max - taken));
    if (queued <= this.#maxQueued) return false;
    return queued > this.#maxQueued + this.#unclaimed + this.#driver.counts().idle + this.#host.returning;
  }

  full(): PoolFullError {
    return new PoolFullError(this.#host.name, this.permits.max, this.#maxQueued);
  }

  /** A connection for a probe, beside all others. It goes back by `keep`. */
  async probe(call: Waiting): Promise<DriverConnection> {
    const kept = this.#takeProbe();
    if (kept?.usable === true) return kept;
    if (kept !== undefined) void this.end(kept);
    const late = (connection: DriverConnection): void => void this.end(connection);
    const limits = { ...this.#limits(call, call.deadline, "connect"), waiting: this.#probing };
    return this.judged(call, bounded(this.#driver.open(), limits, { late }));
  }

  /** Keeps a probe's connection for the next, or ends it. */
  keep(connection: DriverConnection): void {
    if (this.#probe === undefined && connection.usable && !this.#closed) this.#probe = connection;
    else void this.end(connection);
  }

  /** Ends the connection of a probe. */
  end(connection: DriverConnection): Promise<void> {
    const ended = connection.destroy(false).finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
    return ended;
  }

  /** Ends the connection of probes that are not running; resolves when those of all that have ended are gone. */
  async endProbe(): Promise<void> {
    const probe = this.#takeProbe();
    if (probe !== undefined) void this.end(probe);
    await Promise.all(this.#ending);
  }

  /** Opens the connections that are to be kept, or shows that there can be one. */
  async ready(): Promise<void> {
    const call: Waiting = {
      deadline: this.#host.clock.now() + this.#acquireTimeoutMs,
      signal: undefined,
      access: "read",
    };
    if (this.#driver.warm === undefined) {
      const connection = await this.take(call);
      connection.release();
      this.permits.release();
    } else await this.judged(call, bounded(this.#driver.warm(), this.#limits(call, call.deadline, "connect")));
  }

  /** Sends everybody back who has no connection yet, probes excepted. Returns how many. */
  leave(reason: () => Error): number {
    const waiting = [...this.#waiting];
    for (const leave of waiting) leave(reason());
    return waiting.length;
  }

  /** Gives nobody a connection any more, not even those whose connection is on its way. */
  close(): void {
    this.#closed = true;
    this.leave(() => new PoolClosedError(this.#host.name));
    for (const leave of this.#probing) leave(new PoolClosedError(this.#host.name));
  }

  /** Lets an error of connecting say what it means. */
  judged<T>({ access }: Waiting, opening: Promise<T>): Promise<T> {
    return opening.catch((error: unknown) => {
      if (recordedFailure(error) === undefined)
        noteFailure(error, this.#host.dialect.judge(error, { phase: "connect", access, inTransaction: false }));
      throw error;
    });
  }

  async #queued(call: Waiting, limit: number): Promise<DriverConnection> {
    let left = nothing;
    const turn = new Promise<void>((resolve, reject) => {
      left = this.permits.wait(resolve, reject);
    });
    await bounded(turn, this.#limits(call, limit, "acquire"), { left, late: () => this.permits.release() });
    if (this.#closed) {
      this.permits.release();
      throw new PoolClosedError(this.#host.name);
    }
    return this.#connection(call, limit);
  }

  /** From here the permit belongs to the connection that is on its way, whether or not its caller stays. */
  #connection(call: Waiting, limit: number): DriverConnection | Promise<DriverConnection> {
    let arriving: DriverConnection | Promise<DriverConnection>;
    try {
      arriving = this.#driver.acquire();
    } catch (error) {
      arriving = Promise.reject(error);
    }
    if (!(arriving instanceof Promise)) return arriving;
    let unclaimed = 0;
    const left = (): void => {
      unclaimed = 1;
      this.#unclaimed += 1;
    };
    const free = (): void => {
      this.#unclaimed -= unclaimed;
      this.permits.release();
    };
    arriving.catch(free);
    const late = (connection: DriverConnection): void => {
      connection.release();
      free();
    };
    return this.judged(call, bounded(arriving, this.#limits(call, limit, "connect"), { left, late }));
  }

  #takeProbe(): DriverConnection | undefined {
    const probe = this.#probe;
    this.#probe = undefined;
    return probe;
  }

  #limits({ signal }: Waiting, limit: number, phase: "acquire" | "connect"): WaitLimits {
    const { name, clock } = this.#host;
    const onLimit = (): Error => tooLate(name, phase, phase === "connect" ? this.#driver.trouble : undefined);
    return { clock, limit, signal, onLimit, waiting: this.#waiting };
  }
}

function nothing(): void {}

/** The error for a wait that was too long. */
export function tooLate(pool: string, phase: "acquire" | "connect", cause: unknown): TimeoutError {
  const inQueue = phase === "acquire";
  const reason = inQueue ? "no connection became free in time" : "no connection could be opened in time";
  const failure = {
    phase,
    effect: "none",
    retry: inQueue ? "same-node" : "other-node",
    blames: inQueue ? "load" : "node",
    connection: "keep",
    reason,
  } as const;
  return new TimeoutError(pool, reason, failure, cause);
}
