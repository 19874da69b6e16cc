/**
 * What a reader has seen or done, as a point in the history of its database: reads that must not miss it go to a node
 * that has got so far.
 */

/** A point in a cluster's history. Positions compare within one timeline; a promotion begins the next. */
export interface HistoryPoint {
  /** The timeline, or what stands for it in another database. */
  readonly timeline: number;
  /** The position in that timeline; only larger and smaller have a meaning. */
  readonly position: bigint;
}

/** What a token says: a point, if any, and whether there were writes behind it whose position was not known. */
interface TokenContent {
  readonly point: HistoryPoint | undefined;
  readonly unplaced: boolean;
}

/** The leading number is the token's format; timeline and position in base 36; `+` for writes without a position. */
const TOKEN = /^1(?:\.([0-9a-z]{1,7})\.([0-9a-z]{1,13}))?(\+)?$/;

/** @throws RangeError when the text is no token of one database. */
function parseToken(token: string): TokenContent {
  const match = TOKEN.exec(token);
  if (match === null) throw notAToken();
  const [, timeline, position, more] = match;
  const point =
    timeline === undefined || position === undefined
      ? undefined
      : { timeline: Number.parseInt(timeline, 36), position: parseBase36(position) };
  return { point, unplaced: more !== undefined };
}

/** Most databases beside its own of which one keeps count. */
const MAX_OTHERS = 10_000;
/** Longest token, in characters: with a name and what belongs to it, it has room in a cookie (RFC 6265, 6.1: 4096 bytes). */
const MAX_TOKEN = 3_000;
/** Stands in a token for the databases of which nothing is told: what was done there is not known any more. */
const FORGOTTEN = "&+";

function notAToken(): RangeError {
  return new RangeError("a causal token must be a text that a session's token gave");
}

/** The name of a destination in a token. @throws RangeError when it is none. */
function parseName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw notAToken();
  }
}

function parseBase36(digits: string): bigint {
  let value = 0n;
  for (const digit of digits) value = value * 36n + BigInt(Number.parseInt(digit, 36));
  return value;
}

/**
 * The least that a session's reads must include. A `Database` has one for the writes that it has acknowledged; a session
 * of `db.session()` has its own, and in it reads also never go back in time.
 */
export class Causality {
  /** Whether reads must not go back in time when they move between nodes. */
  readonly monotonic: boolean;
  /** The node that served the last read, by name; a monotonic session stays there while it can. */
  lastRead: string | undefined;
  #point: HistoryPoint | undefined;
  // Writes that were acknowledged without their position, and how many of them a later position has covered.
  #written = 0;
  #placed = 0;
  // Of the databases beside it, by the names of their destinations, the one asked for last at the end.
  #others: Map<string, Causality> | undefined;
  #latest: string | undefined;
  // Whether there were others that had to make room: of a database that is not among them, anything may have been seen.
  #forgets = false;
  // Once this one had to make room: who keeps count in its place, for the calls that are still under way.
  #successor: (() => Causality) | undefined;

  constructor(monotonic: boolean, token?: string) {
    this.monotonic = monotonic;
    if (token !== undefined) this.merge(token);
  }

  /** The least that a read must include; undefined when any node will do. */
  get point(): HistoryPoint | undefined {
    return this.#point;
  }

  /** Whether a write has been acknowledged whose position is not known yet. */
  get unplaced(): boolean {
    return this.#placed < this.#written;
  }

  /** Counts what is unplaced now; give it to `place` with a position that was asked for afterwards. */
  get mark(): number {
    return this.#written;
  }

  /** A write was acknowledged, and with its position or without. */
  wrote(point?: HistoryPoint): void {
    if (point !== undefined) return this.include(point);
    this.#written += 1;
    this.#successor?.().wrote();
  }

  /** All that had been written at `mark` is included in this point. */
  place(mark: number, point: HistoryPoint): void {
    this.#placed = Math.max(this.#placed, mark);
    this.include(point);
  }

  /** Takes the later of two points. */
  include(point: HistoryPoint): void {
    const known = this.#point;
    const later =
      known === undefined ||
      point.timeline > known.timeline ||
      (point.timeline === known.timeline && point.position > known.position);
    if (later) this.#point = point;
    this.#successor?.().include(point);
  }

  /**
   * The same of another database, where one stack leads to several: their histories cannot be compared. Of so many that they
   * are not kept apart any more, the one asked for least lately is taken for one that has been written to at an unknown
   * position: nothing is missed, it has to be asked for its position anew.
   */
  of(destination: string): Causality {
    const others = (this.#others ??= new Map());
    const known = others.get(destination);
    if (known !== undefined && destination === this.#latest) return known;
    const other = known ?? new Causality(this.monotonic);
    if (known === undefined && this.#forgets) other.wrote();
    others.delete(destination);
    others.set(destination, other);
    this.#latest = destination;
    if (others.size > MAX_OTHERS) this.#forgetOne(others);
    return other;
  }

  #forgetOne(others: Map<string, Causality>): void {
    for (const [name, oldest] of others) {
      others.delete(name);
      // One that has only been read from has seen something, too.
      if (!oldest.#isNew || oldest.lastRead !== undefined) this.#forgets = true;
      oldest.#successor = () => this.of(name);
      return;
    }
  }

  /** Includes what another process has seen, all or nothing. @throws RangeError when the text is no token. */
  merge(token: string): void {
    if (typeof token !== "string" || token.length > MAX_TOKEN) throw notAToken();
    const forgets = token.endsWith(FORGOTTEN);
    const [own = "", ...rest] = (forgets ? token.slice(0, -FORGOTTEN.length) : token).split("&");
    const content = parseToken(own);
    const others = rest.map((part): [string, TokenContent] => {
      const [name = "", other = "", ...more] = part.split("=");
      if (more.length > 0) throw notAToken();
      return [parseName(name), parseToken(other)];
    });
    this.#take(content);
    if (forgets) this.#forgetOthers();
    // The one that was asked for last stands first.
    for (const [name, other] of others.toReversed()) this.of(name).#take(other);
  }

  /** Somebody has seen more than is told: of every database, whether it is known here or not. */
  #forgetOthers(): void {
    this.#forgets = true;
    for (const other of this.#others?.values() ?? []) other.wrote();
  }

  #take({ point, unplaced }: TokenContent): void {
    if (point !== undefined) this.include(point);
    if (unplaced) this.wrote();
  }

  /**
   * The point, and those of the databases beside it, as an opaque text for another process: a header, a cookie, a message. At
   * most 3000 characters: where there are too many databases for that, those asked for last are told, the last first.
   */
  get token(): string {
    let token = this.#own;
    let forgets = this.#forgets;
    // Each part may be followed by no other than what says that there are more.
    const most = MAX_TOKEN - FORGOTTEN.length;
    for (const [name, other] of [...(this.#others ?? [])].toReversed()) {
      if (other.#isNew) continue;
      const part = `&${encodeURIComponent(name.toWellFormed())}=${other.#own}`;
      forgets ||= token.length + part.length > most;
      if (token.length + part.length > most) break;
      token += part;
    }
    return forgets ? token + FORGOTTEN : token;
  }

  /** Whether nothing has been written or seen. */
  get #isNew(): boolean {
    return this.#point === undefined && !this.unplaced;
  }

  get #own(): string {
    const point = this.#point;
    const place = point === undefined ? "" : `.${point.timeline.toString(36)}.${point.position.toString(36)}`;
    return `1${place}${this.unplaced ? "+" : ""}`;
  }
}
