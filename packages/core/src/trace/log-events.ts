/**
 * The events of a stack as structured log entries, for pino and every logger of its shape.
 */
import { type Clock, systemClock, type Timer } from "../waiting/clock.ts";
import type { Database } from "../face/database.ts";
import { OptionError } from "../contract/errors.ts";
import type { EventMap } from "../contract/events.ts";
import { logFields } from "./log-fields.ts";
import { flag, knownOptions, oneOf, positiveInteger, positiveMs } from "../contract/options.ts";

/** How much an event matters; `silent` events are not heard. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** A logger of pino's shape: fields first, then a text. */
export type EventLogger = Readonly<Record<Exclude<LogLevel, "silent">, (fields: object, message: string) => void>>;

/** Options of `logEvents`. */
export interface LogEventsOptions {
  /** Levels that differ from the defaults, by event; also how events of one's own are logged. */
  readonly levels?: Readonly<Partial<Record<keyof EventMap, LogLevel>>>;
  /** Most entries of one event within `windowMs`; the others are counted, and the count is logged. @default 10 */
  readonly maxPerWindow?: number;
  /** In milliseconds, above 0. @default 1000 */
  readonly windowMs?: number;
  /** Whether messages of drivers' errors are logged. They may quote values that a caller sent. @default false */
  readonly errorMessages?: boolean;
  /** Source of the time. @default systemClock */
  readonly clock?: Clock;
}

/** The levels of the events of this project. What happens at every call is not logged. */
export const LOG_LEVELS: Readonly<Record<string, LogLevel>> = Object.freeze({
  "connection:opened": "silent",
  "connection:used": "silent",
  "pg:connected": "silent",
  "pg:lost": "silent",
  "pg:removed": "silent",
  "connection:lost": "warn",
  "connection:failed": "warn",
  "connection:timed-out": "warn",
  "connection:open-transaction": "warn",
  "connection:notice": "debug",
  "transaction:not-replicated": "error",
  "pool:interrupted": "warn",
  "pool:closed": "info",
  "control:changed": "info",
  "call:outcome-unknown": "error",
  "retry:scheduled": "info",
  "retry:exhausted": "warn",
  "circuit-breaker:opened": "warn",
  "circuit-breaker:half-opened": "info",
  "circuit-breaker:closed": "info",
  "circuit-breaker:isolated": "warn",
  "bulkhead:rejected": "warn",
  "bulkhead:changed": "info",
  "adaptive-limit:rejected": "warn",
  "adaptive-limit:changed": "debug",
  "throttle:rejected": "warn",
  "autosize:resized": "info",
  "fallback:answered": "warn",
  "fallback:failed": "error",
  "hedge:sent": "debug",
  "hedge:won": "debug",
  "hedge:lost": "debug",
  "leak-watch:suspected": "warn",
  "leak-watch:returned": "info",
  "commit-resolution:resolved": "warn",
  "chaos:injected": "debug",
  "router:node-down": "error",
  "router:node-up": "info",
  "router:role-changed": "warn",
  "router:node-fenced": "error",
  "router:node-ejected": "warn",
  "router:node-readmitted": "info",
  "router:node-lagging": "warn",
  "destination:opened": "info",
  "destination:closed": "info",
  "router:node-added": "info",
  "router:node-removed": "info",
  "router:source-failed": "warn",
  "router:history-changed": "warn",
  "router:sent": "silent",
  "router:rerouted": "info",
  "router:read-refused": "info",
});

const LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/**
 * Logs the events of a stack until the returned function is called or the stack is closed. An entry has the event's name
 * as `event`, and its fields; errors by name, code and what they mean.
 * @throws OptionError when an option is unknown or out of range, or the logger has not the shape of one.
 */
export function logEvents(db: Database, logger: EventLogger, options: LogEventsOptions = {}): () => void {
  const own = "logEvents";
  const {
    levels = {},
    errorMessages = false,
    ...limits
  } = knownOptions(own, options, ["levels", "maxPerWindow", "windowMs", "errorMessages", "clock"]);
  const { clock = systemClock, maxPerWindow = 10, windowMs = 1_000 } = limits;
  const limit = {
    clock,
    most: positiveInteger(`${own}.maxPerWindow`, maxPerWindow),
    ms: positiveMs(`${own}.windowMs`, windowMs),
  };
  if (typeof clock?.setTimer !== "function") throw new OptionError(`${own}.clock`, clock, "a clock");
  flag(`${own}.errorMessages`, errorMessages);
  for (const level of LEVELS) {
    if (level !== "silent" && typeof logger?.[level] !== "function")
      throw new OptionError(`${own} logger`, logger, "a logger with debug, info, warn and error");
  }
  const all = { ...LOG_LEVELS, ...knownLevels(levels) };
  const undo: (() => void)[] = [];
  const stop = (): void => {
    for (const each of undo.splice(0)) each();
  };
  for (const [name, level] of Object.entries(all)) {
    if (level === "silent") continue;
    const entries = new Window(limit, (suppressed) =>
      logger[level]({ event: name, suppressed }, `breakwater: ${name}, ${suppressed} more times`),
    );
    const event = name as keyof EventMap;
    const off = db.on(event, (told: EventMap[typeof event]) => {
      if (entries.takes()) logger[level]({ event: name, ...logFields(told, errorMessages) }, `breakwater: ${name}`);
      // Of the stack itself; behind a router its nodes end too.
      if (name === "pool:closed" && told.pool === db.pool.name) stop();
    });
    undo.push(() => {
      off();
      entries.end();
    });
  }
  if (all["pool:closed"] === "silent") {
    undo.push(db.on("pool:closed", ({ pool }) => (pool === db.pool.name ? stop() : undefined)));
  }
  return stop;
}

function knownLevels(levels: object): Readonly<Record<string, LogLevel>> {
  return Object.fromEntries(
    Object.entries(levels).map(([name, level]) => [name, oneOf(`logEvents.levels["${name}"]`, level, LEVELS)]),
  );
}

interface WindowLimits {
  readonly clock: Clock;
  readonly most: number;
  readonly ms: number;
}

/** The entries of one event within a short time: the first ones are logged, the others counted. */
class Window {
  readonly #limits: WindowLimits;
  readonly #tell: (suppressed: number) => void;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #count = 0;
  #timer: Timer | undefined;

  constructor(limits: WindowLimits, tell: (suppressed: number) => void) {
    this.#limits = limits;
    this.#tell = tell;
  }

  /** Whether one more entry may be logged. */
  takes(): boolean {
    const { clock, most, ms } = this.#limits;
    const nowMs = clock.now();
    if (nowMs - this.#sinceMs >= ms) {
      this.end();
      this.#sinceMs = nowMs;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count <= most) return true;
    // There is a timer only while something waits to be told.
    this.#timer ??= clock.setTimer(this.#sinceMs + ms - nowMs, () => this.end(), true);
    return false;
  }

  /** Tells what was left out. */
  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const suppressed = this.#count - this.#limits.most;
    this.#count = Math.min(this.#count, this.#limits.most);
    if (suppressed > 0) this.#tell(suppressed);
  }
}
