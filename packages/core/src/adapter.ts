/**
 * A `Pool` made of a driver: who waits, who runs, what a limit or an abort does, and in what state a connection goes back.
 * Written once for every driver.
 */
import { bounded, type WaitLimits } from "./bounded.ts";
import { Call } from "./call.ts";
import type { CallHost } from "./call-host.ts";
import type { Interruption } from "./interruption.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Dialect } from "./dialect.ts";
import type { Driver, DriverConnection } from "./driver.ts";
import { NodeLostError, PoolClosedError, TimeoutError, UsageError } from "./errors.ts";
import { Events } from "./events.ts";
import { type Failure, noteFailure, recordedFailure } from "./failure.ts";
import type { Operation } from "./operation.ts";
import { knownOptions, nonNegativeMs, positiveMs, text } from "./options.ts";
import { Permits } from "./permits.ts";
import type { CloseOptions, Interrupted, Layer, Pool, PoolStats } from "./pool.ts";

/** Options that every adapter has. */
export interface AdapterOptions {
  /** Stands in every error, event and metric. @default the adapter's own choice */
  readonly name?: string;
  /** Longest wait for a connection, in milliseconds. @default 10000 */
  readonly acquireTimeoutMs?: number;
  /**
   * Longest one statement may run when the call itself brings no deadline, in milliseconds. @default 60000
   */
  readonly statementTimeoutMs?: number;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
}

/** The options of `AdapterOptions` by name, for an adapter's own check. */
export const ADAPTER_OPTIONS = ["name", "acquireTimeoutMs", "statementTimeoutMs", "clock"] as const;

const DEFAULT_DRAIN_MS = 10_000;

/**
 * Makes a pool of a driver.
 * @throws OptionError when an option is unknown or out of range.
 */
export function driverPool(
  driver: Driver,
  dialect: Dialect,
  options: AdapterOptions & { readonly name: string },
): Pool {
  knownOptions("adapter", options, ADAPTER_OPTIONS);
  return new DriverPool(driver, dialect, options);
}

const NOT_SENT: Failure = {
  phase: "connect",
  effect: "none",
  retry: "other-node",
  blames: "node",
  connection: "destroy",
  reason: "the node was lost before the call was sent",
};
const NODE_LOST: Interruption = { retry: "other-node", blames: "node", reason: "the node was lost", cancel: false };
const CLOSED: Interruption = { retry: "never", blames: "caller", reason: "the pool was closed", cancel: true };

class DriverPool implements Pool, CallHost {
  readonly name: string;
  readonly dialect: Dialect;
  readonly events: Events = new Events();
  readonly layers: readonly Layer[];
  readonly clock: Clock;
  readonly statementTimeoutMs: number;
  readonly #driver: Driver;
  readonly #acquireTimeoutMs: number;
  readonly #permits: Permits;
  // Calls on their way to a connection, each with the way to send it back.
  readonly #waiting = new Set<(reason: Error) => void>();
  readonly #running = new Set<Call<unknown>>();
  // Calls that have ended while their connection is still being tidied up or destroyed.
  readonly #returning = new Set<Call<unknown>>();
  // One connection of its own for probes, kept between them. A probe takes it away; one that finds none opens another.
  #probe: DriverConnection | undefined;
  #closing: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  constructor(driver: Driver, dialect: Dialect, options: AdapterOptions & { readonly name: string }) {
    this.name = text("name", options.name);
    this.dialect = dialect;
    this.layers = driver.layer === undefined ? [] : [{ name: driver.layer, outside: {} }];
    this.clock = options.clock ?? systemClock;
    this.statementTimeoutMs = positiveMs("statementTimeoutMs", options.statementTimeoutMs ?? 60_000);
    this.#acquireTimeoutMs = positiveMs("acquireTimeoutMs", options.acquireTimeoutMs ?? 10_000);
    this.#driver = driver;
    this.#permits = new Permits(driver.max);
    driver.listen({
      lost: (error) => this.events.emit("connection:lost", { pool: this.name, error }),
      notice: (notice) => {
        this.events.emit("connection:notice", { pool: this.name, notice });
        if (dialect.notReplicated?.(notice))
          this.events.emit("transaction:not-replicated", { pool: this.name, notice });
      },
    });
  }

  async execute<T>(operation: Operation<T>): Promise<T> {
    if (this.#isClosing()) throw new PoolClosedError(this.name);
    if (typeof operation?.run !== "function") throw new UsageError(this.name, "execute() was not given an operation");
    const probing = operation.purpose === "probe";
    const held = operation.held === undefined ? undefined : this.#driver.held?.(operation.held);
    const connection = held ?? (probing ? await this.#probeConnection(operation) : await this.#acquire(operation));
    if (this.#isClosing()) {
      if (probing) await connection.destroy(false);
      else {
        connection.release();
        if (held === undefined) this.#permits.release();
      }
      throw new PoolClosedError(this.name);
    }
    const call = new Call(this, connection, operation);
    this.#running.add(call);
    try {
      return await call.run();
    } finally {
      this.#running.delete(call);
      const { returned } = call;
      if (returned === undefined) this.#back(call, connection, probing, held !== undefined);
      else {
        // A destroyed connection may take a moment to be gone; until then its place is taken.
        this.#returning.add(call);
        void returned.then(() => this.#back(call, connection, probing, held !== undefined));
      }
    }
  }

  #back(call: Call<unknown>, connection: DriverConnection, probing: boolean, held: boolean): void {
    this.#returning.delete(call);
    // A held one is its holder's; whoever lent it has the permit.
    if (!probing && !held) this.#permits.release();
    else if (held) {
      // Nothing to give back.
    } else if (this.#probe === undefined && connection.usable && !this.#isClosing()) this.#probe = connection;
    else void connection.destroy(false);
    if (this.#running.size === 0 && this.#returning.size === 0) this.#drained?.();
  }

  stats(): PoolStats {
    const { total, idle } = this.#driver.counts();
    const { taken, waiting, max } = this.#permits;
    return Object.freeze({
      name: this.name,
      total,
      idle,
      active: taken,
      waiting,
      max,
      policies: Object.freeze([]),
      nodes: Object.freeze([]),
    });
  }

  interrupt(reason: Error, whom: Interrupted = "all"): void {
    if (whom === "all") {
      this.#driver.retire();
      void this.#takeProbe()?.destroy(false);
    }
    const calls = [...this.#running].filter((call) => whom === "all" || (whom === "reads" && call.isRead));
    const waiting = [...this.#waiting];
    for (const leave of waiting) leave(new NodeLostError(this.name, reason.message, NOT_SENT, reason));
    for (const call of calls) {
      call.interrupt(NODE_LOST, (failure) => new NodeLostError(this.name, reason.message, failure, reason));
    }
    if (whom !== "all" && calls.length + waiting.length === 0) return;
    this.events.emit("pool:interrupted", { pool: this.name, reason, calls: calls.length + waiting.length });
  }

  async close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(nonNegativeMs("close.drainMs", options.drainMs ?? DEFAULT_DRAIN_MS));
    await this.#closing;
  }

  #isClosing(): boolean {
    return this.#closing !== undefined;
  }

  async #close(drainMs: number): Promise<void> {
    // Nobody gets a connection any more, not even those whose connection is on its way.
    for (const leave of this.#waiting) leave(new PoolClosedError(this.name));
    if (this.#running.size + this.#returning.size > 0) await this.#drain(drainMs);
    const left = [...this.#running, ...this.#returning];
    for (const call of this.#running) call.interrupt(CLOSED, () => new PoolClosedError(this.name));
    for (const call of this.#returning) call.cutOff();
    await Promise.all([this.#takeProbe()?.destroy(false), ...left.map(({ returned }) => returned)]);
    await this.#driver.close();
  }

  async #drain(drainMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.clock.setTimer(drainMs, resolve);
      this.#drained = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#drained = undefined;
  }

  #takeProbe(): DriverConnection | undefined {
    const probe = this.#probe;
    this.#probe = undefined;
    return probe;
  }

  async #probeConnection(operation: Operation<unknown>): Promise<DriverConnection> {
    const kept = this.#takeProbe();
    if (kept?.usable === true) return kept;
    void kept?.destroy(false);
    return this.#judged(
      operation,
      bounded(this.#driver.open(), this.#limits(operation, operation.deadline, "connect"), {
        late: (connection) => void connection.destroy(false),
      }),
    );
  }

  async #acquire(operation: Operation<unknown>): Promise<DriverConnection> {
    const limit = Math.min(operation.deadline, this.clock.now() + this.#acquireTimeoutMs);
    if (!this.#permits.tryTake()) {
      let left = nothing;
      const turn = new Promise<void>((resolve, reject) => {
        left = this.#permits.wait(resolve, reject);
      });
      await bounded(turn, this.#limits(operation, limit, "acquire"), { left, late: () => this.#permits.release() });
    }
    if (this.#isClosing()) {
      this.#permits.release();
      throw new PoolClosedError(this.name);
    }
    // From here the permit belongs to the connection that is on its way, whether or not its caller stays.
    const arriving = new Promise<DriverConnection>((resolve) => resolve(this.#driver.acquire()));
    arriving.catch(() => this.#permits.release());
    return this.#judged(
      operation,
      bounded(arriving, this.#limits(operation, limit, "connect"), {
        late: (connection) => {
          connection.release();
          this.#permits.release();
        },
      }),
    );
  }

  #judged(operation: Operation<unknown>, opening: Promise<DriverConnection>): Promise<DriverConnection> {
    return opening.catch((error: unknown) => {
      if (recordedFailure(error) === undefined) {
        const { access } = operation;
        noteFailure(error, this.dialect.judge(error, { phase: "connect", access, inTransaction: false }));
      }
      throw error;
    });
  }

  #limits(operation: Operation<unknown>, limit: number, phase: "acquire" | "connect"): WaitLimits {
    const onLimit = (): Error => tooLate(this.name, phase);
    return { clock: this.clock, limit, signal: operation.signal, onLimit, waiting: this.#waiting };
  }
}

function nothing(): void {}

function tooLate(pool: string, phase: "acquire" | "connect"): TimeoutError {
  const inQueue = phase === "acquire";
  const reason = inQueue ? "no connection became free in time" : "no connection could be opened in time";
  return new TimeoutError(pool, reason, {
    phase,
    effect: "none",
    retry: inQueue ? "same-node" : "other-node",
    blames: inQueue ? "load" : "node",
    connection: "keep",
    reason,
  });
}
