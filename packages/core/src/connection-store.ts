/**
 * The connections of one server: opened when needed or kept warm, handed out the most recently used first, ended when
 * idle too long, too old or used up. Written once for every driver that can open and close one connection.
 *
 * One timer serves all of it, however many connections come and go. After a failure connections are opened again one at
 * a time, then two, four …: a server that comes back is not met by everybody at once.
 */
import type { Clock, Random, Timer } from "./clock.ts";
import type { ConnectionHome, ConnectionOpener } from "./connection-opener.ts";
import type { Driver, DriverConnection, DriverListener } from "./driver.ts";

/** How connections live. */
export interface ConnectionStoreOptions {
  /** Most connections open at once. */
  readonly max: number;
  /** Connections that are kept open however idle they are. */
  readonly min: number;
  /** A connection that was idle this long is ended, in milliseconds; 0 for never. */
  readonly idleTimeoutMs: number;
  /** A connection older than this is ended when it is idle, in milliseconds; 0 for never. */
  readonly maxLifetimeMs: number;
  /** Most calls that one connection serves; 0 for no limit. */
  readonly maxUses: number;
  /** A connection that was idle this long answers a short question before it is handed out, in milliseconds; 0 for never. */
  readonly validateAfterIdleMs: number;
  /** Prepares a new connection before its first call; when it throws, the connection is ended. */
  readonly onConnect: ((connection: DriverConnection) => Promise<void> | void) | undefined;
  /** The short question. */
  readonly validationText: string;
  readonly clock: Clock;
  readonly random: Random;
}

/** Each lifetime is shorter by up to this share, so that connections opened together do not end together. */
const LIFETIME_SPREAD = 0.1;

/** Longest wait for the answer to the short question, in milliseconds. */
const VALIDATION_MS = 1_000;

interface Member {
  readonly connection: DriverConnection;
  readonly expiresAt: number;
  uses: number;
  idleSince: number;
  retired: boolean;
}

interface Waiter {
  readonly resolve: (connection: DriverConnection) => void;
  readonly reject: (error: unknown) => void;
}

export class ConnectionStore implements Driver, ConnectionHome {
  readonly #opener: ConnectionOpener;
  readonly #options: ConnectionStoreOptions;
  readonly #members = new Map<DriverConnection, Member>();
  // The last is the most recently used; the first has been idle longest.
  readonly #idle: Member[] = [];
  readonly #waiting = new Set<Waiter>();
  #opening = 0;
  // How many may be opened at once: everything until something fails.
  #openAtOnce: number;
  #max: number;
  #min: number;
  #listener: DriverListener | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(opener: ConnectionOpener, options: ConnectionStoreOptions) {
    this.#opener = opener;
    this.#options = options;
    this.#max = options.max;
    this.#min = options.min;
    this.#openAtOnce = options.max;
  }

  get max(): number {
    return this.#max;
  }

  listen(listener: DriverListener): void {
    this.#listener = listener;
  }

  /** An idle connection, at once; else a new one, or whichever is given back first. */
  acquire(): DriverConnection | Promise<DriverConnection> {
    const member = this.#idle.pop();
    if (member === undefined) return this.#wait();
    const { validateAfterIdleMs, clock } = this.#options;
    if (!this.#fit(member)) {
      this.#end(member);
      return this.acquire();
    }
    if (validateAfterIdleMs > 0 && clock.now() - member.idleSince >= validateAfterIdleMs)
      return this.#validated(member);
    member.uses += 1;
    return member.connection;
  }

  open(): Promise<DriverConnection> {
    return this.#opener.open();
  }

  counts(): { readonly total: number; readonly idle: number; readonly connecting: number } {
    return { total: this.#members.size, idle: this.#idle.length, connecting: this.#opening };
  }

  /** Opens connections until there are `min`. Rejects when one cannot be opened. */
  async warm(): Promise<void> {
    const missing = this.#min - this.#members.size - this.#opening;
    await Promise.all(Array.from({ length: Math.max(0, missing) }, () => this.#openOne()));
  }

  /** Changes the bounds; connections above `max` end as they are given back. */
  resize(min: number, max: number): void {
    this.#min = min;
    this.#max = max;
    this.#openAtOnce = max;
    while (this.#members.size > max && this.#idle.length > 0) this.#end(this.#idle.shift());
    this.#serve();
  }

  retire(): void {
    for (const member of this.#members.values()) member.retired = true;
    for (const member of this.#idle.splice(0)) this.#end(member, false);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    const ended = this.#idle.splice(0).map(({ connection }) => connection.destroy(false));
    await Promise.all(ended);
  }

  released(connection: DriverConnection): void {
    const member = this.#members.get(connection);
    if (member === undefined) return;
    if (this.#closed || this.#members.size > this.#max || !this.#fit(member)) {
      this.#end(member);
      return;
    }
    const waiter = this.#nextWaiter();
    if (waiter !== undefined) {
      member.uses += 1;
      waiter.resolve(connection);
      return;
    }
    member.idleSince = this.#options.clock.now();
    this.#idle.push(member);
    this.#arm();
  }

  gone(connection: DriverConnection): void {
    const member = this.#members.get(connection);
    if (member === undefined) return;
    this.#members.delete(connection);
    const at = this.#idle.indexOf(member);
    if (at !== -1) this.#idle.splice(at, 1);
    this.#serve();
  }

  lost(connection: DriverConnection, error: unknown): void {
    this.gone(connection);
    this.#listener?.lost(error);
  }

  notice(notice: unknown): void {
    this.#listener?.notice(notice);
  }

  /** Whether a connection may serve once more. */
  #fit({ connection, expiresAt, uses, retired }: Member): boolean {
    const { maxUses, clock } = this.#options;
    return connection.usable && !retired && clock.now() < expiresAt && (maxUses === 0 || uses < maxUses);
  }

  #wait(): Promise<DriverConnection> {
    return new Promise((resolve, reject) => {
      this.#waiting.add({ resolve, reject });
      this.#serve();
    });
  }

  #nextWaiter(): Waiter | undefined {
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter);
      return waiter;
    }
    return undefined;
  }

  /** Opens connections for those who wait, as many at once as may be. */
  #serve(): void {
    while (
      this.#waiting.size > this.#opening &&
      this.#opening < this.#openAtOnce &&
      this.#members.size + this.#opening < this.#max &&
      !this.#closed
    ) {
      this.#openOne().catch((error: unknown) => this.#refuse(error));
    }
  }

  /** Opens one, and hands it to whoever waits or keeps it idle: in one step, so that nobody opens another for the same. */
  async #openOne(): Promise<void> {
    this.#opening += 1;
    let connection: DriverConnection;
    try {
      connection = await this.#prepared();
    } catch (error) {
      this.#opening -= 1;
      this.#openAtOnce = 1;
      throw error;
    }
    this.#opening -= 1;
    // One more for each success: one, two, four … a round, as a TCP sender begins (RFC 5681, slow start).
    this.#openAtOnce = Math.min(this.#max, this.#openAtOnce + 1);
    this.released(connection);
    // A success may have widened how many can be opened at once.
    this.#serve();
  }

  async #prepared(): Promise<DriverConnection> {
    const { clock, random, maxLifetimeMs, onConnect } = this.#options;
    const connection = await this.#opener.open(this);
    const lifetimeMs =
      maxLifetimeMs === 0 ? Number.POSITIVE_INFINITY : maxLifetimeMs * (1 - LIFETIME_SPREAD * random());
    const now = clock.now();
    const member: Member = { connection, expiresAt: now + lifetimeMs, uses: 0, idleSince: now, retired: false };
    this.#members.set(connection, member);
    try {
      await onConnect?.(connection);
    } catch (error) {
      this.#end(member);
      throw error;
    }
    return connection;
  }

  /** A connection could not be opened: those who wait for one hear why, instead of trying one after another. */
  #refuse(error: unknown): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }

  async #validated(member: Member): Promise<DriverConnection> {
    const { clock, validationText } = this.#options;
    const { connection } = member;
    const timer = clock.setTimer(VALIDATION_MS, () => void connection.destroy(false), true);
    try {
      await connection.query({ text: validationText });
      member.uses += 1;
      return connection;
    } catch {
      this.#end(member);
      return await this.acquire();
    } finally {
      timer.cancel();
    }
  }

  #end(member: Member | undefined, politely = true): void {
    if (member === undefined) return;
    member.retired = true;
    void member.connection.destroy(!politely);
  }

  /** Sets the one timer to when the connection that was idle longest has been so for too long. */
  #arm(): void {
    const { clock, idleTimeoutMs } = this.#options;
    const oldest = this.#idle[0];
    if (this.#timer !== undefined || oldest === undefined || this.#closed) return;
    const ends = idleTimeoutMs > 0 && this.#members.size > this.#min;
    const idleUntil = ends ? oldest.idleSince + idleTimeoutMs : Number.POSITIVE_INFINITY;
    const due = Math.min(idleUntil, ...this.#idle.map(({ expiresAt }) => expiresAt));
    if (due === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.setTimer(
      due - clock.now(),
      () => {
        this.#timer = undefined;
        this.#sweep();
      },
      true,
    );
  }

  #sweep(): void {
    const { clock, idleTimeoutMs } = this.#options;
    const now = clock.now();
    for (const member of this.#idle.slice()) {
      const tooIdle = idleTimeoutMs > 0 && now - member.idleSince >= idleTimeoutMs && this.#members.size > this.#min;
      if (!tooIdle && this.#fit(member)) continue;
      this.#idle.splice(this.#idle.indexOf(member), 1);
      this.#end(member);
    }
    this.#arm();
  }
}
