/**
 * All who hold a connection of one pool, in the order in which they began to, and one timer for the first that is due.
 */
import type { Clock, Pool, Timer } from "@breakwater/core";
import type { LeakSuspected } from "./events.ts";
import { HeldTooLongError } from "./held-too-long-error.ts";

export interface WatchSettings {
  readonly maxHeldMs: number;
  readonly forceReturnAfterMs?: number;
  readonly clock: Clock;
}

/** One who holds a connection. */
export interface Watched {
  readonly kind: "session" | "transaction";
  readonly label: string | undefined;
  /** Where it was asked for. */
  readonly stack: string | undefined;
  /** When it was handed out; set by the watch. */
  sinceMs: number;
  /** Whether the connection can be taken from its holder. */
  readonly takeable: boolean;
  /** Takes it. */
  take(error: Error): void;
}

export class Watch {
  readonly #pool: Pool;
  #settings: WatchSettings;
  // Both keep the order in which they began to hold: the limits are the same for all, so the first is due first.
  readonly #unsuspected = new Set<Watched>();
  readonly #suspected = new Set<Watched>();
  // Suspected as well, but they began when connections were not to be taken back.
  readonly #untakeable = new Set<Watched>();
  // Set to no later than the first is due. It is not cancelled when that one gives back in time, as nearly all do.
  #timer: Timer | undefined;
  #closed = false;
  #suspicions = 0;
  #returned = 0;
  #forced = 0;

  constructor(pool: Pool, settings: WatchSettings) {
    this.#pool = pool;
    this.#settings = settings;
  }

  add(holder: Watched): void {
    holder.sinceMs = this.#settings.clock.now();
    this.#unsuspected.add(holder);
    if (this.#timer === undefined) this.#arm(holder.sinceMs);
  }

  /** Goes by other limits from now on; those who hold already began to when they did. */
  change(settings: WatchSettings): void {
    this.#settings = settings;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#arm(settings.clock.now());
  }

  remove(holder: Watched): void {
    this.#unsuspected.delete(holder);
    if (!this.#suspected.delete(holder) && !this.#untakeable.delete(holder)) return;
    this.#returned += 1;
    this.#tell(holder, false);
  }

  stats(): Readonly<Record<string, unknown>> {
    const overdue = this.#suspected.size + this.#untakeable.size;
    return {
      held: this.#unsuspected.size + overdue,
      overdue,
      suspected: this.#suspicions,
      returned: this.#returned,
      forced: this.#forced,
    };
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(nowMs: number): void {
    if (this.#closed) return;
    const { maxHeldMs, forceReturnAfterMs, clock } = this.#settings;
    const dueMs = Math.min(
      dueOf(this.#unsuspected, maxHeldMs),
      forceReturnAfterMs === undefined ? Number.POSITIVE_INFINITY : dueOf(this.#suspected, forceReturnAfterMs),
    );
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.setTimer(
      Math.max(0, dueMs - nowMs),
      () => {
        this.#timer = undefined;
        this.#look();
      },
      true,
    );
  }

  #look(): void {
    const { maxHeldMs, forceReturnAfterMs, clock } = this.#settings;
    const nowMs = clock.now();
    for (const holder of this.#unsuspected) {
      // A timer may come a fraction of a millisecond early; who is not due by now is so at the next one.
      if (nowMs - holder.sinceMs < maxHeldMs) break;
      this.#unsuspected.delete(holder);
      (holder.takeable ? this.#suspected : this.#untakeable).add(holder);
      this.#suspicions += 1;
      this.#pool.events.emit("leak-watch:suspected", this.#holding(holder));
    }
    if (forceReturnAfterMs !== undefined) {
      for (const holder of this.#suspected) {
        if (nowMs - holder.sinceMs < forceReturnAfterMs) break;
        this.#suspected.delete(holder);
        this.#forced += 1;
        this.#tell(holder, true);
        holder.take(new HeldTooLongError(this.#pool.name, nowMs - holder.sinceMs));
      }
    }
    this.#arm(nowMs);
  }

  #tell(holder: Watched, forced: boolean): void {
    const { events } = this.#pool;
    if (events.has("leak-watch:returned")) events.emit("leak-watch:returned", { ...this.#holding(holder), forced });
  }

  #holding(holder: Watched): LeakSuspected {
    const { label, kind, stack, sinceMs } = holder;
    return { pool: this.#pool.name, label, kind, heldMs: this.#settings.clock.now() - sinceMs, stack };
  }
}

function dueOf(holders: ReadonlySet<Watched>, afterMs: number): number {
  for (const { sinceMs } of holders) return sinceMs + afterMs;
  return Number.POSITIVE_INFINITY;
}
