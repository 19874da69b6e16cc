/**
 * Destinations that are made at their first call, and closed when nobody has used them for a while or others need the room.
 */
import {
  type CloseOptions,
  type Events,
  knownOptions,
  nonNegativeMs,
  type Pool,
  PoolClosedError,
  type Timer,
  UsageError,
} from "@breakwater/core";
import "./events.ts";
import { OpenDestination } from "./open-destination.ts";
import { type CheckedDestinationsOptions, type Limits, poolIn, quoted } from "./options.ts";
import { TooManyDestinationsError } from "./too-many-destinations-error.ts";

/** How long running calls may take to end where nobody says it, as for any pool. */
const DRAIN_MS = 10_000;

export class OnDemand {
  readonly #options: CheckedDestinationsOptions;
  readonly #events: Events;
  // What every destination must be able to do, as the face believes it of all of them.
  readonly #model: Pool;
  readonly #needed: readonly string[];
  readonly #open = new Map<string, OpenDestination>();
  readonly #closing = new Map<OpenDestination, Promise<void>>();
  #limits: Limits;
  #timer: Timer | undefined;
  // Names for which `open` runs now.
  readonly #making = new Set<string>();
  #closed = false;

  constructor(options: CheckedDestinationsOptions, events: Events, model: Pool, needed: readonly string[]) {
    this.#options = options;
    this.#events = events;
    this.#model = model;
    this.#needed = needed;
    this.#limits = options.limits;
  }

  /** Those that are open now. */
  get all(): readonly OpenDestination[] {
    return [...this.#open.values()];
  }

  /** Ends what runs on them, also on those that are being closed. */
  interrupt(...how: Parameters<Pool["interrupt"]>): void {
    for (const { pool } of [...this.#open.values(), ...this.#closing.keys()]) pool.interrupt(...how);
  }

  /**
   * The destination of that name, made if it must be, and begun for one call.
   * @throws what `open` throws; `UsageError`; `TooManyDestinationsError`.
   */
  begin(name: string): OpenDestination {
    const known = this.#open.get(name);
    const one = known ?? this.#made(name);
    // Before anybody hears of it, who might ask for another: it is in use, and has not to make room.
    one.begin();
    if (known === undefined) {
      this.#events.emit("destination:opened", { pool: this.#options.name, destination: name });
      this.#watch();
    }
    return one;
  }

  /** Takes over new limits: those who are idle for too long by them go at once. */
  limit(limits: Limits): void {
    this.#limits = limits;
    this.#sweep();
  }

  /** Closes one that is open, when what runs there has ended. False when none of that name is open. */
  async shut(name: string, options: CloseOptions = {}): Promise<boolean> {
    const { drainMs } = knownOptions("destinations.close", options, ["drainMs"]);
    if (drainMs !== undefined) nonNegativeMs("destinations.close.drainMs", drainMs);
    const one = this.#open.get(name);
    if (one === undefined) return false;
    await this.#close(one, options);
    return true;
  }

  /** Closes all of them, and waits for those that are being closed, no longer than is said now. */
  async close(options: CloseOptions = {}): Promise<void> {
    const { clock, name } = this.#options;
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    const late = [...this.#closing.keys()];
    const end = (): void => {
      for (const { pool } of late) pool.interrupt(new PoolClosedError(name));
    };
    const limit = late.length === 0 ? undefined : clock.setTimer(options.drainMs ?? DRAIN_MS, end);
    for (const one of this.#open.values()) void this.#close(one, options);
    await Promise.all(this.#closing.values());
    limit?.cancel();
  }

  #made(name: string): OpenDestination {
    const { clock, name: self } = this.#options;
    // Nobody is sent away for a name that `open` refuses; and none is made for which there is no room.
    this.#whoMakesRoom(name);
    const made = new OpenDestination(name, this.#make(name), this.#events, clock);
    try {
      // What `open` has done meanwhile is its own business.
      if (this.#closed) throw new PoolClosedError(self);
      const oldest = this.#whoMakesRoom(name);
      if (oldest !== undefined) void this.#close(oldest);
    } catch (error) {
      void made.close({ drainMs: 0 }).catch(() => undefined);
      throw error;
    }
    this.#open.set(name, made);
    return made;
  }

  #make(name: string): Pool {
    const { open, name: self } = this.#options;
    if (this.#making.has(name)) throw new UsageError(self, `open asks for the destination ${quoted(name)} itself`);
    this.#making.add(name);
    try {
      return this.#checked(name, poolIn(open?.(name)));
    } finally {
      this.#making.delete(name);
    }
  }

  #checked(name: string, pool: Pool | undefined): Pool {
    const { name: self } = this.#options;
    if (pool === undefined) throw new UsageError(self, `open made no pool for the destination ${quoted(name)}`);
    const all = [this.#model, ...this.all.map((one) => one.pool)];
    if (all.includes(pool)) throw new UsageError(self, `open gave the pool of another destination for ${quoted(name)}`);
    const wrong = this.#wrongWith(pool);
    if (wrong === undefined) return pool;
    void pool.close({ drainMs: 0 }).catch(() => undefined);
    throw new UsageError(self, `the destination ${quoted(name)} ${wrong}`);
  }

  #wrongWith({ dialect, layers }: Pool): string | undefined {
    const has = (layer: string): boolean => layers.some((one) => one.name === layer);
    if (dialect.name !== this.#model.dialect.name) return `is not of ${this.#model.dialect.name}`;
    if (has("destinations")) return "has destinations of its own";
    const missing = this.#needed.find((layer) => !has(layer));
    return missing && `has no ${missing}, which the others have`;
  }

  /** Who has to go for one more, if there is no room: the one used longest ago. */
  #whoMakesRoom(name: string): OpenDestination | undefined {
    const { maxOpen } = this.#limits;
    if (this.#open.size < maxOpen) return undefined;
    const oldest = usedFirst(this.all.filter((one) => one.running === 0));
    if (oldest === undefined) throw new TooManyDestinationsError(this.#options.name, quoted(name), maxOpen);
    return oldest;
  }

  #close(one: OpenDestination, options?: CloseOptions): Promise<void> {
    this.#open.delete(one.name);
    const closed = one.close(options).then(
      () => this.#tell(one),
      // Nothing is lost by it: no call runs there any more.
      () => this.#tell(one),
    );
    this.#closing.set(one, closed);
    void closed.then(() => this.#closing.delete(one));
    return closed;
  }

  #tell({ name: destination }: OpenDestination): void {
    this.#events.emit("destination:closed", { pool: this.#options.name, destination });
  }

  #sweep(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const { idleMs } = this.#limits;
    const now = this.#options.clock.now();
    for (const one of this.all)
      if (idleMs !== false && one.running === 0 && now - one.usedMs >= idleMs) void this.#close(one);
    this.#watch();
  }

  /** Looks again when the one that was idle for the longest would be due. */
  #watch(): void {
    const { idleMs } = this.#limits;
    if (this.#timer !== undefined || idleMs === false) return;
    const oldest = usedFirst(this.all);
    if (oldest === undefined) return;
    const { clock } = this.#options;
    this.#timer = clock.setTimer(Math.max(oldest.usedMs + idleMs - clock.now(), 1), () => this.#sweep(), true);
  }
}

/** The one used longest ago; of equals the first. */
function usedFirst(all: readonly OpenDestination[]): OpenDestination | undefined {
  return all.reduce<OpenDestination | undefined>(
    (oldest, one) => (oldest === undefined || one.usedMs < oldest.usedMs ? one : oldest),
    undefined,
  );
}
