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
  // Of the databases beside it, by the names of their destinations.
  #others: Map<string, Causality> | undefined;

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
    if (point === undefined) this.#written += 1;
    else this.include(point);
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
  }

  /** The same of another database, where one stack leads to several: their histories cannot be compared. */
  of(destination: string): Causality {
    const others = (this.#others ??= new Map());
    let other = others.get(destination);
    if (other === undefined) others.set(destination, (other = new Causality(this.monotonic)));
    return other;
  }

  /** Includes what another process has seen, all or nothing. @throws RangeError when the text is no token. */
  merge(token: string): void {
    if (typeof token !== "string") throw notAToken();
    const [own = "", ...rest] = token.split("&");
    const content = parseToken(own);
    const others = rest.map((part): [string, TokenContent] => {
      const [name = "", other = ""] = part.split("=");
      return [parseName(name), parseToken(other)];
    });
    this.#take(content);
    for (const [name, other] of others) this.of(name).#take(other);
  }

  #take({ point, unplaced }: TokenContent): void {
    if (point !== undefined) this.include(point);
    if (unplaced) this.wrote();
  }

  /** The point, and those of the databases beside it, as an opaque text for another process: a header, a cookie, a message. */
  get token(): string {
    const others = [...(this.#others ?? [])]
      .filter(([, { point, unplaced }]) => point !== undefined || unplaced)
      .map(([name, other]) => `&${encodeURIComponent(name)}=${other.#own}`);
    return `${this.#own}${others.join("")}`;
  }

  get #own(): string {
    const point = this.#point;
    const place = point === undefined ? "" : `.${point.timeline.toString(36)}.${point.position.toString(36)}`;
    return `1${place}${this.unplaced ? "+" : ""}`;
  }
}
