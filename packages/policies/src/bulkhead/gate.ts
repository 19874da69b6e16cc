/**
 * The permits of one pool and those who wait for them.
 */
import {
  abortReason,
  type Next,
  NodeLostError,
  type Operation,
  type PolicyPart,
  type Pool,
  PoolClosedError,
  type Timer,
} from "@breakwater/core";
import { Lasting } from "../budget/lasting.ts";
import type { BulkheadReason } from "./events.ts";
import { type BulkheadLimits, type CheckedBulkheadOptions, type CheckedLimits, checkLimits } from "./options.ts";
import { type Place, Queue } from "./queue.ts";
import { INTERRUPTED, refusalError } from "./refusal.ts";
import { StandingQueue } from "./standing-queue.ts";
import { UsualTime } from "./usual-time.ts";

const RANKS = { critical: 0, normal: 1, sheddable: 2 } as const;

/** A call that waits. */
interface Waiter extends Place<Waiter> {
  readonly operation: Operation<unknown>;
  readonly admit: () => void;
  readonly refuse: (error: unknown) => void;
  readonly onAbort: (() => void) | undefined;
}

export class Gate implements PolicyPart {
  readonly #options: CheckedBulkheadOptions;
  readonly #pool: Pool;
  readonly #queue = new Queue<Waiter>();
  /** One for each rank: critical calls that hardly wait say nothing of the sheddable ones. */
  readonly #standing: readonly StandingQueue[];
  readonly #lasting: Lasting;
  readonly #usual = new UsualTime();
  #limits: CheckedLimits & { readonly maxConcurrent: number };
  #running = 0;
  /** Calls that did not have to wait. */
  #passes = 0;
  #closed = false;
  /** One for all who wait: set to when the first of them expires, or to before that. */
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #queued = 0;
  readonly #rejected: Record<BulkheadReason, number> = { full: 0, displaced: 0, expired: 0, "max-wait": 0, codel: 0 };

  constructor(options: CheckedBulkheadOptions, pool: Pool) {
    this.#options = options;
    this.#pool = pool;
    this.#limits = {
      ...options.limits,
      maxConcurrent: options.limits.maxConcurrent ?? Math.max(1, Math.floor(pool.stats().max)),
    };
    this.#lasting = new Lasting(options.intervalMs);
    this.#standing = Object.values(RANKS).map(() => new StandingQueue(options.targetMs, options.intervalMs));
  }

  get pool(): string {
    return this.#pool.name;
  }

  execute<T>(operation: Operation<T>, next: Next): Promise<T> {
    if (operation.purpose === "probe" || this.#closed) return next(operation);
    if (this.#running >= this.#limits.maxConcurrent) return this.#wait(operation, next);
    this.#passes++;
    return this.#run(operation, next);
  }

  /** The limits as they are now. */
  get limits(): Readonly<CheckedLimits> {
    return this.#limits;
  }

  /** Changes limits; who runs goes on, and who waits in a queue that became shorter is shed from the bottom. */
  change(limits: BulkheadLimits): void {
    this.#limits = checkLimits(limits, this.#limits);
    const { maxConcurrent, maxQueued, maxWaitMs } = this.#limits;
    this.#pool.events.emit("bulkhead:changed", { pool: this.pool, maxConcurrent, maxQueued, maxWaitMs });
    this.#serve();
    while (this.#queue.size > maxQueued) this.#turnAway(this.#queue.last(this.#newestFirst)!, "displaced");
    this.#tidy();
  }

  stats(): Readonly<Record<string, unknown>> {
    const [critical, normal, sheddable] = this.#queue.sizes;
    const { maxConcurrent, maxQueued, maxWaitMs, order } = this.#limits;
    return {
      running: this.#running,
      waiting: this.#queue.size,
      waitingBy: { critical, normal, sheddable },
      queued: this.#queued,
      rejected: { ...this.#rejected },
      standing: this.#stands,
      maxConcurrent,
      maxQueued,
      maxWaitMs,
      order,
    };
  }

  /** Sends everybody back who waits: the pool below has lost its node, or those who can are to go elsewhere. */
  interrupt(reason: Error): void {
    this.#sendBack(() => new NodeLostError(this.pool, reason.message, INTERRUPTED, reason));
  }

  close(): void {
    this.#closed = true;
    this.#sendBack(() => new PoolClosedError(this.pool));
  }

  #sendBack(why: () => Error): void {
    for (let each = this.#queue.soonest; each !== undefined; each = this.#queue.soonest) {
      this.#leave(each);
      each.refuse(why());
    }
    this.#tidy();
  }

  /** The rule of Facebook's adaptive LIFO: while nobody could empty the queue for an interval. */
  readonly #newestFirst = (rank: number): boolean => {
    if (this.#limits.order !== "lifo-under-load") return false;
    const sinceMs = this.#queue.since(rank);
    return sinceMs !== undefined && this.#options.clock.now() - sinceMs > this.#options.intervalMs;
  };

  get #stands(): boolean {
    const newest = this.#limits.order === "lifo-under-load";
    return this.#standing.some(({ stands }, rank) => (newest ? this.#newestFirst(rank) : stands));
  }

  #run<T>(operation: Operation<T>, next: Next): Promise<T> {
    this.#running++;
    return next(operation).then(this.#ok, this.#failed);
  }

  // Made once, so that a call allocates none.
  readonly #ok = <T>(value: T): T => {
    this.#release();
    return value;
  };

  readonly #failed = (error: unknown): never => {
    this.#release();
    throw error;
  };

  #release(): void {
    this.#running--;
    if (this.#queue.size === 0) return;
    this.#serve();
    this.#tidy();
  }

  #wait<T>(operation: Operation<T>, next: Next): Promise<T> {
    const { priorities, fairBy, clock } = this.#options;
    const { maxQueued, maxWaitMs } = this.#limits;
    const { signal, deadline } = operation;
    if (signal?.aborted) return Promise.reject(abortReason(signal));
    const sinceMs = clock.now();
    if (deadline <= sinceMs) return Promise.reject(this.#error("expired", operation, 0));
    const rank = priorities ? RANKS[operation.priority] : 0;
    const tenant = fairBy?.(operation);
    if (this.#queue.size >= maxQueued) {
      const displaced = this.#queue.displacedBy(rank, tenant, this.#newestFirst);
      if (displaced === undefined) return Promise.reject(this.#error("full", operation, 0));
      this.#turnAway(displaced, "displaced");
    }
    const waited = operation.trace?.wait("bulkhead", "permit");
    return new Promise((resolve, reject) => {
      const onAbort =
        signal === undefined
          ? undefined
          : () => {
              this.#leave(waiter);
              this.#tidy();
              reject(abortReason(signal));
            };
      const waiter: Waiter = {
        before: undefined,
        after: undefined,
        place: 0,
        rank,
        tenant,
        sinceMs,
        expiresAtMs: Math.min(deadline, sinceMs + maxWaitMs),
        operation,
        admit: () => {
          waited?.();
          resolve(this.#admit(operation, next));
        },
        refuse: reject,
        onAbort,
      };
      if (onAbort !== undefined) signal!.addEventListener("abort", onAbort, { once: true });
      this.#queue.add(waiter);
      this.#queued++;
      this.#watch(waiter.expiresAtMs, sinceMs);
    });
  }

  /** Runs a call that has waited, and learns from it how long calls take. */
  #admit<T>(operation: Operation<T>, next: Next): Promise<T> {
    if (operation.kind !== "query") return this.#run(operation, next);
    const { clock } = this.#options;
    const sinceMs = clock.now();
    this.#running++;
    return next(operation).then((value) => {
      this.#usual.sample(clock.now() - sinceMs);
      return this.#ok(value);
    }, this.#failed);
  }

  /**
   * Whether a call's deadline is so near that it would use the node and not be answered. One that nobody waits behind is
   * let try: it keeps no other from being served, and what it takes is learned.
   */
  #isPastHelping({ deadline, kind }: Operation<unknown>, nowMs: number): boolean {
    return kind === "query" && this.#queue.size > 0 && deadline - nowMs < this.#usual.ms;
  }

  /** Lets in as many as there are permits. Nobody who has expired runs, however late the timer is. */
  #serve(): void {
    while (this.#running < this.#limits.maxConcurrent) {
      const waiter = this.#queue.take(this.#newestFirst);
      if (waiter === undefined) return;
      this.#unlisten(waiter);
      const nowMs = this.#options.clock.now();
      const tooLong = this.#standing[waiter.rank]!.waited(nowMs - waiter.sinceMs, nowMs, this.#passes);
      if (waiter.expiresAtMs <= nowMs) this.#refuse(waiter, this.#whyExpired(waiter));
      else if (tooLong && this.#limits.order === "codel") this.#refuse(waiter, "codel");
      else if (this.#isPastHelping(waiter.operation, nowMs)) this.#refuse(waiter, "expired");
      else waiter.admit();
    }
  }

  /** Sees to it that the timer is set to no later than this. */
  #watch(atMs: number, nowMs: number): void {
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#options.clock.setTimer(atMs - nowMs, () => this.#expire());
  }

  #expire(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#timer = undefined;
    const nowMs = this.#options.clock.now();
    let each = this.#queue.soonest;
    for (; each !== undefined && each.expiresAtMs <= nowMs; each = this.#queue.soonest) {
      this.#turnAway(each, this.#whyExpired(each));
    }
    if (each !== undefined) this.#watch(each.expiresAtMs, nowMs);
  }

  /** Without anyone who waits there is no timer. */
  #tidy(): void {
    if (this.#queue.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }

  #leave(waiter: Waiter): void {
    this.#queue.remove(waiter);
    this.#unlisten(waiter);
  }

  #unlisten({ operation, onAbort }: Waiter): void {
    if (onAbort !== undefined) operation.signal?.removeEventListener("abort", onAbort);
  }

  #turnAway(waiter: Waiter, why: BulkheadReason): void {
    this.#leave(waiter);
    this.#refuse(waiter, why);
  }

  #refuse(waiter: Waiter, why: BulkheadReason): void {
    waiter.refuse(this.#error(why, waiter.operation, this.#options.clock.now() - waiter.sinceMs));
  }

  #whyExpired({ expiresAtMs, operation }: Waiter): BulkheadReason {
    return expiresAtMs >= operation.deadline ? "expired" : "max-wait";
  }

  #error(why: BulkheadReason, { label, priority }: Operation<unknown>, waitedMs: number): Error {
    this.#rejected[why]++;
    const { events, name: pool } = this.#pool;
    const running = this.#running;
    const waiting = this.#queue.size;
    if (events.has("bulkhead:rejected")) {
      events.emit("bulkhead:rejected", { pool, label, priority, why, waitedMs, running, waiting });
    }
    const error = refusalError({ pool, why, waitedMs, running, maxQueued: this.#limits.maxQueued });
    return this.#lasting.turnedAway(error, priority, this.#options.clock.now());
  }
}
