/**
 * Destinations that are made at their first call, and closed when nobody has used them for a while or others need the room.
 */
import { type CloseOptions, type Events, type Pool, type Timer, UsageError } from "@breakwater/core";
import "./events.ts";
import { OpenDestination } from "./open-destination.ts";
import { type CheckedDestinationsOptions, type Limits, poolIn } from "./options.ts";
import { TooManyDestinationsError } from "./too-many-destinations-error.ts";

export class OnDemand {
  readonly #options: CheckedDestinationsOptions;
  readonly #events: Events;
  // What every destination must be able to do, as the face believes it of all of them.
  readonly #model: Pool;
  readonly #needed: readonly string[];
  readonly #open = new Map<string, OpenDestination>();
  readonly #closing = new Set<Promise<void>>();
  #limits: Limits;
  #timer: Timer | undefined;

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

  /** The destination of that name, made if it must be. @throws what `open` throws; `UsageError`; `TooManyDestinationsError`. */
  of(name: string): OpenDestination {
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    this.#makeRoom(name);
    const { clock, name: pool } = this.#options;
    const made = new OpenDestination(name, this.#make(name), this.#events, clock);
    this.#open.set(name, made);
    this.#events.emit("destination:opened", { pool, destination: name });
    this.#watch();
    return made;
  }

  /** Takes over new limits: those who are idle for too long by them go at once. */
  limit(limits: Limits): void {
    this.#limits = limits;
    this.#sweep();
  }

  /** Closes one that is open, when what runs there has ended. False when none of that name is open. */
  async shut(name: string): Promise<boolean> {
    const one = this.#open.get(name);
    if (one === undefined) return false;
    await this.#close(one);
    return true;
  }

  /** Closes all of them, and waits for those that are being closed. */
  async close(options?: CloseOptions): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const one of this.#open.values()) void this.#close(one, options);
    await Promise.all(this.#closing);
  }

  #make(name: string): Pool {
    const { open, name: self } = this.#options;
    const pool = poolIn(open?.(name));
    if (pool === undefined) throw new UsageError(self, `open made no pool for the destination "${name}"`);
    const all = [this.#model, ...this.all.map((one) => one.pool)];
    if (all.includes(pool)) throw new UsageError(self, `open gave the pool of another destination for "${name}"`);
    const { dialect, layers } = pool;
    const missing = this.#needed.find((layer) => !layers.some((one) => one.name === layer));
    const wrong =
      dialect.name === this.#model.dialect.name
        ? missing && `has no ${missing}, which the others have`
        : `is not of ${this.#model.dialect.name}`;
    if (wrong === undefined) return pool;
    void pool.close({ drainMs: 0 }).catch(() => undefined);
    throw new UsageError(self, `the destination "${name}" ${wrong}`);
  }

  #makeRoom(name: string): void {
    const { maxOpen } = this.#limits;
    if (this.#open.size < maxOpen) return;
    const idle = this.all.filter((one) => one.running === 0);
    const [oldest] = idle.toSorted((a, b) => a.usedMs - b.usedMs);
    if (oldest === undefined) throw new TooManyDestinationsError(this.#options.name, name, maxOpen);
    void this.#close(oldest);
  }

  #close(one: OpenDestination, options?: CloseOptions): Promise<void> {
    this.#open.delete(one.name);
    const closed = one.close(options).then(
      () => this.#closed(one),
      // Nothing is lost by it: no call runs there any more.
      () => this.#closed(one),
    );
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
    return closed;
  }

  #closed({ name: destination }: OpenDestination): void {
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
    if (this.#timer !== undefined || idleMs === false || this.#open.size === 0) return;
    const { clock } = this.#options;
    const oldest = Math.min(...this.all.map((one) => one.usedMs));
    this.#timer = clock.setTimer(Math.max(oldest + idleMs - clock.now(), 1), () => this.#sweep(), true);
  }
}
