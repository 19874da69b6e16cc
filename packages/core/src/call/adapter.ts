/**
 * A `Pool` made of a driver: who waits, who runs, what a limit or an abort does, and in what state a connection goes back.
 * Written once for every driver.
 */
import { Call } from "./call.ts";
import type { CallHost } from "./call-host.ts";
import type { Interruption } from "./interruption.ts";
import { type Clock, systemClock } from "../waiting/clock.ts";
import { ConnectionSource } from "../store/connection-source.ts";
import type { Dialect } from "../contract/dialect.ts";
import type { Driver, DriverConnection } from "../contract/driver.ts";
import { NodeLostError, PoolClosedError, UsageError } from "../contract/errors.ts";
import { Events } from "../contract/events.ts";
import type { Failure, Situation } from "../contract/failure.ts";
import type { Operation } from "../contract/operation.ts";
import { PoolMeter } from "../measure/metrics.ts";
import { Pipeline } from "../pipeline/pipeline.ts";
import { knownOptions, nonNegativeInteger, nonNegativeMs, positiveMs, text } from "../contract/options.ts";
import { checkBounds } from "../store/lifecycle.ts";
import type { CloseOptions, Interrupted, Layer, Pool, PoolBounds, PoolStats } from "../contract/pool.ts";

/** Options that every adapter has. */
export interface AdapterOptions {
  /** Stands in every error, event and metric. @default the adapter's own choice */
  readonly name?: string;
  /** Longest wait for a connection, in milliseconds. @default 10000 */
  readonly acquireTimeoutMs?: number;
  /** Most calls that wait for a connection; more are refused with a `PoolFullError`. @default no limit */
  readonly maxQueued?: number;
  /**
   * Longest one statement may run when the call itself brings no deadline, in milliseconds. @default 60000
   */
  readonly statementTimeoutMs?: number;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
}

/** The options of `AdapterOptions` by name, for an adapter's own check. */
export const ADAPTER_OPTIONS = ["name", "acquireTimeoutMs", "maxQueued", "statementTimeoutMs", "clock"] as const;

const DEFAULT_DRAIN_MS = 10_000;

/**
 * Makes a pool of a driver. `options` are those that every adapter has; `name` is the pool's.
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
  readonly reset: CallHost["reset"];
  readonly meter: PoolMeter;
  readonly #driver: Driver;
  readonly #source: ConnectionSource;
  readonly #pipeline: Pipeline | undefined;
  // For calls whose connection stays with whoever has it: nothing of its session is taken away.
  readonly #beside: CallHost;
  readonly #running = new Set<Call<unknown>>();
  // Calls that have ended while their connection is still being tidied up or destroyed, and whether it has a place.
  readonly #returning = new Map<Call<unknown>, boolean>();
  #closing: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  constructor(driver: Driver, dialect: Dialect, options: AdapterOptions & { readonly name: string }) {
    this.name = text("name", options.name);
    this.meter = new PoolMeter(this.name, this.events);
    this.dialect = dialect;
    this.layers = driver.layer === undefined ? [] : [{ name: driver.layer, outside: {} }];
    this.clock = options.clock ?? systemClock;
    this.statementTimeoutMs = positiveMs("statementTimeoutMs", options.statementTimeoutMs ?? 60_000);
    const acquireTimeoutMs = positiveMs("acquireTimeoutMs", options.acquireTimeoutMs ?? 10_000);
    const { maxQueued } = options;
    const queue = maxQueued === undefined ? Number.POSITIVE_INFINITY : nonNegativeInteger("maxQueued", maxQueued);
    this.#driver = driver;
    this.#source = new ConnectionSource(driver, this, acquireTimeoutMs, queue);
    this.reset = driver.reset;
    // What a statement leaves behind is taken away when it has had its connection to itself.
    this.#pipeline =
      driver.pipelining === undefined || driver.reset !== undefined
        ? undefined
        : new Pipeline(this, this.#source, driver.pipelining, {
            alone: (operation) => this.#alone(operation),
            idle: () => this.#maybeDrained(),
          });
    this.#beside =
      driver.reset === undefined ? this : (Object.create(this, { reset: { value: undefined } }) as CallHost);
    driver.listen({
      opened: (tookMs) => this.meter.connectionOpened(tookMs),
      ended: () => this.meter.connectionClosed(),
      unopened: (error) => {
        this.meter.connectionFailed();
        this.events.emit("connection:failed", { pool: this.name, error });
      },
      lost: (error) => this.events.emit("connection:lost", { pool: this.name, error }),
      notice: (notice) => {
        this.events.emit("connection:notice", { pool: this.name, notice });
        if (dialect.notReplicated?.(notice))
          this.events.emit("transaction:not-replicated", { pool: this.name, notice });
      },
    });
  }

  execute<T>(operation: Operation<T>): Promise<T> {
    const shared = this.#isClosing() ? undefined : this.#pipeline?.execute(operation);
    return shared ?? this.#alone(operation);
  }

  /** Runs an operation on a connection of its own. */
  async #alone<T>(operation: Operation<T>): Promise<T> {
    if (this.#isClosing()) throw new PoolClosedError(this.name);
    this.#pipeline?.settle();
    if (typeof operation?.run !== "function") throw new UsageError(this.name, "execute() was not given an operation");
    const probing = operation.purpose === "probe";
    const askedMs = this.clock.now();
    let gotMs: number | undefined;
    try {
      const held = operation.held === undefined ? undefined : this.#driver.held?.(operation.held);
      const found = held ?? (probing ? this.#source.probe(operation) : this.#source.take(operation, askedMs));
      const connection = found instanceof Promise ? await found : found;
      gotMs = found === connection ? askedMs : this.clock.now();
      if (this.#isClosing()) {
        if (probing) await this.#source.end(connection);
        else {
          connection.release();
          if (held === undefined) this.#source.permits.release();
        }
        throw new PoolClosedError(this.name);
      }
      operation.hedged?.holds();
      const call = new Call(probing || held !== undefined ? this.#beside : this, connection, operation);
      this.#running.add(call);
      try {
        return await call.run();
      } finally {
        this.#running.delete(call);
        const { returned } = call;
        if (returned === undefined) this.#back(call, connection, probing, held !== undefined);
        else {
          // A destroyed connection may take a moment to be gone; until then its place is taken.
          this.#returning.set(call, !probing && held === undefined);
          void returned.then(() => this.#back(call, connection, probing, held !== undefined));
        }
      }
    } catch (error) {
      if (!probing) this.meter.failed(error);
      throw error;
    } finally {
      if (!probing) this.meter.ended(askedMs, gotMs, this.clock.now());
    }
  }

  get returning(): number {
    let count = this.#pipeline?.returning ?? 0;
    for (const hasPlace of this.#returning.values()) if (hasPlace) count += 1;
    // Their ends are on the way as well.
    for (const { returned } of this.#running) if (returned !== undefined) count += 1;
    return count;
  }

  judge(error: unknown, situation: Situation): Failure {
    this.meter.refused(error);
    return this.dialect.judge(error, situation);
  }

  #back(call: Call<unknown>, connection: DriverConnection, probing: boolean, held: boolean): void {
    this.#returning.delete(call);
    // A held one is its holder's; whoever lent it has the permit.
    if (!probing && !held) this.#source.permits.release();
    else if (!held) this.#source.keep(connection);
    this.#maybeDrained();
  }

  #maybeDrained(): void {
    if (this.#quiet) this.#drained?.();
  }

  /** Whether no call runs, and no connection is on its way back. */
  get #quiet(): boolean {
    return this.#running.size === 0 && this.#returning.size === 0 && this.#pipeline?.idle !== false;
  }

  stats(): PoolStats {
    this.#pipeline?.settle();
    const { total, idle, connecting = 0 } = this.#driver.counts();
    const { taken, waiting, max } = this.#source.permits;
    return Object.freeze({
      name: this.name,
      total,
      idle,
      active: taken,
      waiting: waiting + (this.#pipeline?.waiting ?? 0),
      connecting,
      max,
      policies: Object.freeze([]),
      nodes: Object.freeze([]),
      metrics: this.meter.snapshot(),
    });
  }

  interrupt(reason: Error, whom: Interrupted = "all"): void {
    this.#pipeline?.settle();
    if (whom === "all") {
      this.#driver.retire();
      void this.#source.endProbe();
    }
    const calls = [...this.#running].filter((call) => whom === "all" || (whom === "reads" && call.isRead));
    const unsent = (): Error => new NodeLostError(this.name, reason.message, NOT_SENT, reason);
    const waiting = (this.#pipeline?.leave(unsent) ?? 0) + this.#source.leave(unsent);
    const lost = (failure: Failure): Error => new NodeLostError(this.name, reason.message, failure, reason);
    for (const call of calls) call.interrupt(NODE_LOST, lost);
    const shared = whom === "waiting" ? 0 : (this.#pipeline?.interrupt(NODE_LOST, lost) ?? 0);
    const count = calls.length + waiting + shared;
    if (whom !== "all" && count === 0) return;
    this.events.emit("pool:interrupted", { pool: this.name, reason, calls: count });
  }

  async ready(): Promise<void> {
    if (this.#isClosing()) throw new PoolClosedError(this.name);
    this.#pipeline?.settle();
    await this.#source.ready();
  }

  resize(size: PoolBounds): void {
    const { min: minNow = 0, max: maxNow } = this.#driver;
    const { min, max } = checkBounds(size.min ?? minNow, size.max ?? maxNow);
    if (this.#isClosing()) throw new PoolClosedError(this.name);
    if (this.#driver.resize === undefined)
      throw new UsageError(this.name, "its size is decided by whoever made the driver's own pool");
    this.#pipeline?.settle();
    this.#driver.resize(min, max);
    this.#source.permits.resize(max);
  }

  async close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(nonNegativeMs("close.drainMs", options.drainMs ?? DEFAULT_DRAIN_MS));
    await this.#closing;
  }

  #isClosing(): boolean {
    return this.#closing !== undefined;
  }

  async #close(drainMs: number): Promise<void> {
    this.#pipeline?.settle();
    // Nobody gets a connection any more, not even those whose connection is on its way.
    this.#source.close();
    this.#pipeline?.leave(() => new PoolClosedError(this.name));
    this.#driver.drain?.();
    if (!this.#quiet) await this.#drain(drainMs);
    const left = [...this.#running, ...this.#returning.keys()];
    for (const call of this.#running) call.interrupt(CLOSED, () => new PoolClosedError(this.name));
    this.#pipeline?.interrupt(CLOSED, () => new PoolClosedError(this.name));
    // Those whose connection died meanwhile would be sent again.
    this.#pipeline?.leave(() => new PoolClosedError(this.name));
    for (const call of this.#returning.keys()) call.cutOff();
    await Promise.all([this.#source.endProbe(), this.#pipeline?.gone(), ...left.map(({ returned }) => returned)]);
    await this.#driver.close();
    this.events.emit("pool:closed", { pool: this.name });
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
}
