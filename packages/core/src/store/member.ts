/**
 * What a store knows of one of its connections, and the one timer for all that are idle.
 */
import type { Clock, Random, Timer } from "../waiting/clock.ts";
import type { DriverConnection } from "../contract/driver.ts";

/** How much too early a timer may ring by another clock, in milliseconds: what is due by then is not put off. */
const EARLY_MS = 1;

/** One connection of a store. */
export interface Member {
  readonly connection: DriverConnection;
  /** When its lifetime is over, in milliseconds of the clock. */
  readonly expiresAt: number;
  uses: number;
  /** When it was last given back. */
  idleSince: number;
  /** When it was last known to answer. */
  answeredAt: number;
  /** It was taken only to be asked whether it answers. */
  asked: boolean;
  /** Must not be handed out again. */
  retired: boolean;
}

/** Each lifetime is shorter by up to this share, so that connections opened together do not end together. */
const LIFETIME_SPREAD = 0.2;

/** What there is to know of a new connection. */
export function newMember(connection: DriverConnection, now: number, maxLifetimeMs: number, random: Random): Member {
  const lifetimeMs = maxLifetimeMs === 0 ? Number.POSITIVE_INFINITY : maxLifetimeMs;
  const expiresAt = now + lifetimeMs * (1 - LIFETIME_SPREAD * random());
  return { connection, expiresAt, uses: 0, idleSince: now, answeredAt: now, asked: false, retired: false };
}

/** Whether a connection may serve once more. */
export function isFit({ connection, expiresAt, uses, retired }: Member, now: number, maxUses: number): boolean {
  return connection.usable && !retired && now < expiresAt && (maxUses === 0 || uses < maxUses);
}

/** Hands a connection out. */
export function lend(member: Member): DriverConnection {
  member.uses += 1;
  member.connection.taken?.();
  return member.connection;
}

/** Hands a connection out again that has not been given back; false when it should be. */
export function lendAgain(member: Member | undefined, now: number): boolean {
  // Who counts uses counts how often it is given back.
  if (member === undefined || !isFit(member, now, 0)) return false;
  member.answeredAt = now;
  member.uses += 1;
  return true;
}

/** When idle connections are to be looked at. */
export interface IdleLimits {
  readonly clock: Clock;
  readonly idleTimeoutMs: number;
  readonly validateIntervalMs: number;
  /** Whether there are more connections than are to be kept. */
  readonly surplus: () => boolean;
  /** It is idle for too long, or too old. */
  readonly end: (member: Member) => void;
  /** It has not answered for a while. */
  readonly validate: (member: Member) => void;
}

/**
 * The idle connections, the most recently used last, and the one timer that looks after them: it is set when the first
 * becomes idle, and not touched by those that come and go.
 */
export class IdleMembers {
  readonly #limits: IdleLimits;
  readonly #members: Member[] = [];
  #timer: Timer | undefined;
  #due = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(limits: IdleLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#members.length;
  }

  /** Takes out the most recently used. */
  pop(): Member | undefined {
    return this.#members.pop();
  }

  /** Takes out the one that has been idle longest. */
  shift(): Member | undefined {
    return this.#members.shift();
  }

  /** Takes out all of them. */
  clear(): Member[] {
    return this.#members.splice(0);
  }

  /** Takes out one; false when it is not here. */
  remove(member: Member): boolean {
    const at = this.#members.indexOf(member);
    if (at !== -1) this.#members.splice(at, 1);
    return at !== -1;
  }

  push(member: Member): void {
    this.#members.push(member);
    const due = this.#dueOf(member);
    if (due < this.#due) this.#set(due);
  }

  /** Puts one back that was taken out to be asked: it has been idle all along. */
  putBack(member: Member): void {
    const at = this.#members.findIndex(({ idleSince }) => idleSince > member.idleSince);
    this.#members.splice(at === -1 ? this.#members.length : at, 0, member);
    this.look();
  }

  /** Ends and asks whom it is time for, and sets the timer anew. */
  look(): void {
    const { clock, idleTimeoutMs, validateIntervalMs, surplus, end, validate } = this.#limits;
    const now = clock.now() + EARLY_MS;
    for (const member of this.#members.slice()) {
      const tooIdle = idleTimeoutMs > 0 && now - member.idleSince >= idleTimeoutMs && surplus();
      const unasked = validateIntervalMs > 0 && now - member.answeredAt >= validateIntervalMs;
      const over = tooIdle || member.retired || !member.connection.usable || now >= member.expiresAt;
      // Ending one may have had others opened or ended.
      if ((!over && !unasked) || !this.remove(member)) continue;
      if (over) end(member);
      else validate(member);
    }
    this.#set(Math.min(Number.POSITIVE_INFINITY, ...this.#members.map((member) => this.#dueOf(member))));
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #dueOf({ expiresAt, idleSince, answeredAt }: Member): number {
    const { idleTimeoutMs, validateIntervalMs, surplus } = this.#limits;
    let due = expiresAt;
    if (idleTimeoutMs > 0 && surplus()) due = Math.min(due, idleSince + idleTimeoutMs);
    if (validateIntervalMs > 0) due = Math.min(due, answeredAt + validateIntervalMs);
    return due;
  }

  #set(due: number): void {
    const { clock } = this.#limits;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#due = due;
    if (due === Number.POSITIVE_INFINITY || this.#stopped) return;
    const run = (): void => {
      this.#timer = undefined;
      this.#due = Number.POSITIVE_INFINITY;
      this.look();
    };
    this.#timer = clock.setTimer(due - clock.now(), run, true);
  }
}
