/**
 * The connections of one server: opened when needed or kept warm, handed out the most recently used first, ended when
 * idle too long, too old or used up. Written once for every driver that can open and close one connection.
 *
 * One timer serves all of it, however many connections come and go; an idle connection is handed out and taken back
 * without a promise, a timer or a listener.
 */
import type { ConnectionHome, ConnectionOpener } from "./connection-opener.ts";
import { endedAtOnce, prepare, resetting, validate } from "./connection-setup.ts";
import type { Driver, DriverConnection, DriverListener } from "../contract/driver.ts";
import { PoolClosedError } from "../contract/errors.ts";
import { IdleMembers, isFit, lend, lendAgain, type Member, newMember } from "./member.ts";
import { OpeningAttempts } from "./opening-attempts.ts";
import { OpeningPace } from "./opening-pace.ts";
import type { ConnectionStoreOptions } from "./store-options.ts";
import { Waiters } from "../waiting/waiters.ts";

export class ConnectionStore implements Driver, ConnectionHome {
  readonly reset: ((connection: DriverConnection) => Promise<void>) | undefined;
  readonly #opener: ConnectionOpener;
  readonly #options: ConnectionStoreOptions;
  readonly #members = new Map<DriverConnection, Member>();
  readonly #idle: IdleMembers;
  readonly #waiting = new Waiters<DriverConnection>();
  readonly #opening = new OpeningAttempts<{ readonly error: unknown } | undefined>();
  readonly #probing = new OpeningAttempts<DriverConnection>();
  // Links that have been told to end.
  readonly #ending = new Set<Promise<void>>();
  readonly #pace: OpeningPace;
  #max: number;
  #min: number;
  // Connections are kept from the first call on, not before.
  #started = false;
  #replaces: boolean;
  #draining = false;
  #listener: DriverListener | undefined;

  constructor(opener: ConnectionOpener, options: ConnectionStoreOptions) {
    const { max, min, clock, random, idleTimeoutMs, validateIntervalMs, resetOnRelease, onConnect } = options;
    this.#opener = opener;
    this.#options = options;
    this.#max = max;
    this.#min = min;
    this.#replaces = options.replaces;
    this.#pace = new OpeningPace(max, clock, random, () => this.#serve());
    this.#idle = new IdleMembers({
      clock,
      idleTimeoutMs,
      validateIntervalMs,
      surplus: () => this.#members.size > this.#min,
      end: (member) => this.#end(member),
      validate: (member) => void this.#askIdle(member),
    });
    this.reset = resetting(resetOnRelease, options.name, onConnect);
  }

  get max(): number {
    return this.#max;
  }

  get min(): number {
    return this.#min;
  }

  get trouble(): unknown {
    return this.#pace.trouble;
  }

  listen(listener: DriverListener): void {
    this.#listener = listener;
  }

  /** An idle connection, at once; else a new one, or whichever is given back first. */
  acquire(): DriverConnection | Promise<DriverConnection> {
    const { validateAfterIdleMs, clock } = this.#options;
    this.#started = true;
    for (let member = this.#idle.pop(); member !== undefined; member = this.#idle.pop()) {
      const now = clock.now();
      if (!isFit(member, now, this.#options.maxUses)) this.#end(member);
      else if (validateAfterIdleMs > 0 && now - member.answeredAt >= validateAfterIdleMs)
        return this.#validated(member);
      else return lend(member);
    }
    if (this.#draining) return Promise.reject(new PoolClosedError(this.#options.name));
    return this.#waiting.join(() => this.#serve());
  }

  again(connection: DriverConnection, now: number): boolean {
    const wanted = this.#draining || this.#waiting.size > 0 || this.#members.size > this.#max;
    return !wanted && this.#options.maxUses === 0 && lendAgain(this.#members.get(connection), now);
  }

  open(): Promise<DriverConnection> {
    return this.#probing.begin((attempt) =>
      this.#opener.open(undefined, attempt.signal).finally(() => this.#probing.ended(attempt)),
    );
  }

  counts(): { readonly total: number; readonly idle: number; readonly connecting: number } {
    const connecting = this.#opening.size;
    return { total: this.#members.size + connecting, idle: this.#idle.size, connecting };
  }

  async warm(): Promise<void> {
    this.#started = true;
    // With nothing to keep, one connection still shows whether there can be any.
    const enough = Math.max(1, this.#min);
    for (let tries = 0; this.#members.size < enough; tries += 1) {
      if (this.#draining) throw new PoolClosedError(this.#options.name);
      if (tries > 2 * enough) throw endedAtOnce(this.#options.name);
      while (this.#members.size + this.#opening.size < enough && this.#pace.allows(this.#opening.size, true)) {
        void this.#opening.begin((attempt) => this.#open(attempt));
      }
      const failed = await this.#opening.first();
      if (failed !== undefined) throw failed.error;
    }
  }

  resize(min: number, max: number): void {
    this.#replaces ||= min !== this.#min;
    this.#min = min;
    this.#max = max;
    this.#pace.resize(max);
    while (this.#members.size > max) {
      const member = this.#idle.shift();
      if (member === undefined) break;
      this.#end(member);
    }
    this.#idle.look();
    this.#serve();
  }

  retire(): void {
    for (const member of this.#members.values()) member.retired = true;
    this.#giveUpOpening(new Error("connections of before are not used any more"));
    for (const member of this.#idle.clear()) this.#end(member);
    this.#serve();
  }

  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#pace.stop();
    this.#idle.stop();
    this.#giveUpOpening(new PoolClosedError(this.#options.name));
    this.#probing.giveUp(new PoolClosedError(this.#options.name), true);
    for (const member of this.#idle.clear()) this.#end(member);
  }

  async close(): Promise<void> {
    this.drain();
    for (const member of this.#members.values()) this.#end(member);
    await Promise.all([this.#opening.settled(), this.#probing.settled()]);
    await Promise.all(this.#ending);
  }

  released(connection: DriverConnection): void {
    const member = this.#members.get(connection);
    if (member === undefined) return;
    const now = this.#options.clock.now();
    const { asked } = member;
    member.asked = false;
    member.answeredAt = now;
    if (!asked) member.idleSince = now;
    if (this.#draining || this.#members.size > this.#max || !isFit(member, now, this.#options.maxUses))
      this.#end(member);
    else if (this.#waiting.size > 0) this.#waiting.serve(lend(member));
    else if (asked) this.#idle.putBack(member);
    else this.#idle.push(member);
  }

  gone(connection: DriverConnection): void {
    const member = this.#members.get(connection);
    if (member === undefined) return;
    this.#forget(member);
    if (!member.retired) this.#pace.died(member.uses > 0);
    this.#serve();
  }

  lost(connection: DriverConnection, error: unknown): void {
    this.gone(connection);
    this.died(connection, error);
    this.#listener?.lost(error);
  }

  notice(notice: unknown): void {
    this.#listener?.notice(notice);
  }

  /** For a driver that has more to tell: a connection has been prepared, and nobody has used it yet. */
  protected opened(_connection: DriverConnection): void {}

  /** For a driver that has more to tell: a connection has died while it was idle. */
  protected died(_connection: DriverConnection, _error: unknown): void {}

  /** Opens connections for those who wait and up to `min`, as many at once as may be. */
  #serve(): void {
    while (!this.#draining && this.#members.size + this.#opening.size < this.#max) {
      const short = this.#started && this.#replaces && this.#members.size + this.#opening.size < this.#min;
      if (!short && this.#waiting.size <= this.#opening.size) {
        // Nobody waits for the end of a pause.
        if (this.#opening.size === 0) this.#pace.stop();
        return;
      }
      // A connection that is out may come back to those who wait: an attempt is one hope of two.
      const urgent = this.#waiting.size > this.#opening.size && this.#members.size === 0;
      if (!this.#pace.allows(this.#opening.size, urgent)) return;
      void this.#opening.begin((attempt) => this.#open(attempt));
    }
  }

  /** Opens one and offers it. What went wrong is told to those who have nothing else to wait for. */
  async #open(attempt: AbortController): Promise<{ readonly error: unknown } | undefined> {
    const { name, clock, random, maxLifetimeMs, connectTimeoutMs, onConnect } = this.#options;
    const beganMs = clock.now();
    let connection: DriverConnection | undefined;
    try {
      connection = await this.#opener.open(this, attempt.signal);
      await prepare(connection, attempt.signal, { name, clock, connectTimeoutMs, onConnect });
    } catch (error) {
      const hopeless = connection?.usable ?? this.#options.hopeless?.(error) ?? false;
      if (connection !== undefined) this.#destroy(connection);
      this.#opening.ended(attempt);
      // An attempt that was given up is nobody's fault, and nobody waits for it any more.
      if (!attempt.signal.aborted) this.#failed(error, hopeless);
      this.#serve();
      return { error };
    }
    this.#opening.ended(attempt);
    const member = newMember(connection, clock.now(), maxLifetimeMs, random);
    member.retired = attempt.signal.aborted;
    this.#members.set(connection, member);
    this.#pace.succeeded();
    this.opened(connection);
    this.#listener?.opened?.(clock.now() - beganMs);
    // In one step, so that nobody opens another for the same.
    connection.release();
    this.#serve();
    return undefined;
  }

  #failed(error: unknown, hopeless: boolean): void {
    this.#pace.failed(error);
    this.#listener?.unopened?.(error);
    // Connections that are out come back, or die as well; and each attempt under way is somebody's hope.
    if (this.#members.size > 0 && !hopeless) return;
    this.#waiting.keepOnly(this.#opening.size, error);
  }

  #giveUpOpening(reason: Error): void {
    this.#opening.giveUp(reason, this.#draining);
    this.#waiting.keepOnly(0, reason);
  }

  async #validated(member: Member): Promise<DriverConnection> {
    if (await this.#answers(member)) return lend(member);
    return this.acquire();
  }

  async #askIdle(member: Member): Promise<void> {
    member.asked = true;
    if (await this.#answers(member)) member.connection.release();
  }

  /** Whether a connection answers; one that does not is ended, and those that are silent for as long are asked no more. */
  async #answers(member: Member): Promise<boolean> {
    const { clock, validationText } = this.#options;
    const silentSince = member.answeredAt;
    member.connection.taken?.();
    if (await validate(member.connection, clock, validationText)) {
      member.answeredAt = clock.now();
      return !member.retired || this.#end(member);
    }
    for (const other of this.#idle.clear()) {
      if (other.answeredAt <= silentSince) this.#end(other);
      else this.#idle.push(other);
    }
    return this.#end(member);
  }

  #end(member: Member): false {
    this.#forget(member);
    member.retired = true;
    // Only whoever has a connection may end it.
    member.connection.taken?.();
    this.#destroy(member.connection);
    this.#serve();
    return false;
  }

  #destroy(connection: DriverConnection): void {
    const ended = connection.destroy(false).finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }

  #forget(member: Member): void {
    if (this.#members.delete(member.connection)) this.#listener?.ended?.();
    this.#idle.remove(member);
  }
}
