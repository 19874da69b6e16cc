/**
 * The last events of a stack, as lines. This is all that is kept while nobody looks: one entry for each event that is worth a line
 * in a log, at most so many, and none for what happens at every call.
 */
import { type Clock, type Database, type EventLogger, LOG_LEVELS, logEvents } from "@breakwater/core";
import type { EventReport } from "./report.ts";

/** A line is no longer than this. */
const MAX_TEXT = 300;

/** What can happen at any call would push out what matters, and would have to be made first. */
const UNHEARD = Object.fromEntries(
  Object.entries(LOG_LEVELS).flatMap(([name, level]) => (level === "debug" ? [[name, "silent" as const]] : [])),
);

/** Numbers the events of one handler. */
export interface EventNumbers {
  next: number;
}

/** The same again within so long, in milliseconds, is counted and not kept once more: a node dies with all its connections. */
const SAME_MS = 1_000;

/** What happens to single calls is kept for itself: many of them must not push out what became of a node. */
const OF_CALLS: ReadonlySet<string> = new Set([
  "adaptive-limit:rejected",
  "bulkhead:rejected",
  "call:outcome-unknown",
  "commit-resolution:resolved",
  "connection:timed-out",
  "fallback:answered",
  "fallback:failed",
  "retry:exhausted",
  "retry:scheduled",
  "router:read-refused",
  "router:rerouted",
  "throttle:rejected",
]);

interface Kept {
  readonly told: EventReport;
  readonly pool: string | undefined;
  readonly atMs: number;
}

/** Keeps the last events. Keeping one costs the same however many there were. */
export class RecentEvents {
  readonly #numbers: EventNumbers;
  readonly #clock: Clock;
  readonly #ofCalls: Ring;
  readonly #others: Ring;
  readonly #stop: () => void;

  constructor(db: Database, most: number, numbers: EventNumbers, clock: Clock) {
    this.#numbers = numbers;
    this.#clock = clock;
    this.#ofCalls = new Ring(most);
    this.#others = new Ring(most);
    const level = (name: EventReport["level"]) => (fields: object) => this.#hear(name, fields);
    const logger: EventLogger = {
      debug: () => undefined,
      info: level("info"),
      warn: level("warn"),
      error: level("error"),
    };
    // What may be told of an event, and how often, is decided there once for logs and for this.
    this.#stop = logEvents(db, logger, { clock, levels: UNHEARD });
  }

  /** All of them, oldest first. A pool that is a node's is called by the node's name. */
  list(nodeOf: (pool: string) => string | undefined): readonly EventReport[] {
    const all = [...this.#ofCalls.list(), ...this.#others.list()].toSorted((a, b) => a.told.id - b.told.id);
    return all.map(({ told, pool }) => {
      if (pool === undefined) return told;
      const node = nodeOf(pool);
      const where = lineOf(node === undefined ? { pool } : { node });
      return { ...told, text: told.text === "" ? where : `${where}, ${told.text}` };
    });
  }

  /** Hears no more. */
  close(): void {
    this.#stop();
  }

  #hear(level: EventReport["level"], { event: name = "", ...fields }: { readonly event?: string }): void {
    const { pool, suppressed, ...others } = fields as Readonly<Record<string, unknown>>;
    // A node's name says what its pool's would.
    const where = typeof pool === "string" && others["node"] === undefined ? pool : undefined;
    // Of some only the number is known: there were too many within a moment.
    const [text, times] = typeof suppressed === "number" ? ["more of them", suppressed] : [lineOf(others), 1];
    const isOfCalls = OF_CALLS.has(name);
    const ring = isOfCalls ? this.#ofCalls : this.#others;
    const last = ring.lastOf(name);
    const atMs = this.#clock.now();
    const isCount = suppressed !== undefined;
    const isSame =
      last !== undefined &&
      (isCount
        ? isOfCalls
        : last.pool === where &&
          atMs - last.atMs < SAME_MS &&
          // Calls differ in little that matters: one line tells of all.
          (isOfCalls || last.told.text === text));
    const told: EventReport = {
      id: this.#numbers.next++,
      time: new Date().toISOString(),
      level,
      name,
      text: isSame && isCount ? last.told.text : text,
      times: isSame ? last.told.times + times : times,
    };
    // The moment stays that of the first: a line is for so long, and then there is another.
    ring.keep({ told, pool: isSame ? last.pool : where, atMs: isSame ? last.atMs : atMs }, isSame ? last : undefined);
  }
}

/** So many of the last. */
class Ring {
  readonly #most: number;
  readonly #kept: Kept[] = [];
  // Names of events, of which there are few.
  readonly #lastOf = new Map<string, { readonly one: Kept; readonly index: number }>();
  // Where the next one goes: once there are as many as may be, the place of the oldest.
  #at = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** The last of that name that is still there. */
  lastOf(name: string): Kept | undefined {
    const found = this.#lastOf.get(name);
    return found !== undefined && this.#kept[found.index] === found.one ? found.one : undefined;
  }

  /** Keeps one more, or one in the place of the last of its name. */
  keep(one: Kept, inPlaceOf: Kept | undefined): void {
    const { name } = one.told;
    const index = inPlaceOf === undefined ? this.#at : this.#lastOf.get(name)!.index;
    this.#kept[index] = one;
    this.#lastOf.set(name, { one, index });
    if (inPlaceOf === undefined) this.#at = (this.#at + 1) % this.#most;
  }

  /** In no order. */
  list(): readonly Kept[] {
    return this.#kept;
  }
}

/** `node db2, role primary`: the fields of an event as people read them. */
export function lineOf(fields: Readonly<Record<string, unknown>>): string {
  const line = Object.entries(fields)
    .flatMap(([name, value]) => {
      if (value === undefined) return [];
      const shown = shownAs(value);
      return shown === "" ? [] : [`${name} ${shown}`];
    })
    .join(", ")
    // What comes from a server, or an application's label, must not steer a terminal.
    .replaceAll(/\p{C}+/gu, " ");
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line;
}

function shownAs(value: unknown): string {
  if (typeof value === "number") return String(Math.round(value * 100) / 100);
  if (typeof value === "string") return value.slice(0, MAX_TEXT + 1);
  if (typeof value === "boolean") return String(value);
  if (typeof value !== "object" || value === null) return "";
  const { name, code, reason, message, phase } = value as Readonly<Record<string, unknown>>;
  // An error, or what one means, as `logEvents` tells them.
  if (typeof name === "string" || (typeof phase === "string" && reason !== undefined))
    return [code ?? name, reason ?? message].filter((each) => typeof each === "string").join(": ");
  return Object.entries(value)
    .filter(([, each]) => ["string", "number", "boolean"].includes(typeof each))
    .map(([key, each]) => `${key} ${String(each)}`)
    .join(" ");
}
