/**
 * Single reads over a few connections that they share, several under way on each: fewer messages to and from the
 * operating system, and less work for both sides.
 *
 * Only what may be repeated shares a connection. So nothing is lost when a connection dies or one statement holds up those
 * behind it: they are sent again elsewhere. Everything else has a connection of its own.
 */
import type { CallHost } from "./call-host.ts";
import { Chain } from "./chain.ts";
import { setLimit, type Timer } from "./clock.ts";
import { type ConnectionSource, tooLate } from "./connection-source.ts";
import type { DriverConnection, Pipelining } from "./driver.ts";
import type { Interruption } from "./interruption.ts";
import { interrupted } from "./interruption.ts";
import type { Failure } from "./failure.ts";
import { type Operation, runStatement } from "./operation.ts";
import { listOf, PipelineLink } from "./pipeline-link.ts";
import { PipelinedCall, RUNNING } from "./pipelined-call.ts";

/** A connection that has so many under way is busy: another one is taken, if there may be one and it is at hand. */
const BUSY = 8;
/** A connection on which nothing was answered for so long holds up those behind, in milliseconds. */
const STUCK_MS = 25;
/** The time itself came so much too late, in milliseconds: answers may lie there unread. */
const LATE_MS = 10;
const REQUEST = { deadline: Number.POSITIVE_INFINITY, signal: undefined, access: "read" } as const;

/** What a pipeline has its pool do. */
export interface PipelinePool {
  /** Runs an operation over a connection of its own. */
  alone<T>(operation: Operation<T>): Promise<T>;
  /** Hears that nothing is under way any more. */
  idle(): void;
}

export class Pipeline {
  readonly host: CallHost;
  readonly #source: ConnectionSource;
  readonly #limits: Pipelining;
  readonly #links: PipelineLink[] = [];
  // Links that take no more; they are given back when what is under way has ended.
  readonly #ending = new Set<PipelineLink>();
  readonly #waiting = new Chain<PipelinedCall<unknown>>();
  // A connection has been asked for and has not come.
  #asking = false;
  #unsent: PipelineLink[] = [];
  #running = 0;
  #watch: Timer | undefined;
  #watchAt = Number.POSITIVE_INFINITY;
  #tickAt = 0;
  readonly #returning = new Set<Promise<void>>();
  readonly #pool: PipelinePool;

  constructor(host: CallHost, source: ConnectionSource, limits: Pipelining, pool: PipelinePool) {
    this.host = host;
    this.#pool = pool;
    this.#source = source;
    this.#limits = limits;
  }

  /** Runs an operation that can share a connection; undefined for one that must have a connection of its own. */
  execute<T>(operation: Operation<T>): Promise<T> | undefined {
    if (operation?.kind !== "query" || operation.access !== "read" || operation.run !== runStatement) return undefined;
    if (operation.purpose === "probe" || operation.held !== undefined || operation.signal?.aborted === true)
      return undefined;
    if (!this.#limits.fits(operation.statement)) return undefined;
    return new Promise((resolve, reject) => {
      const now = this.#now();
      this.#begin(new PipelinedCall<T>(this, operation, now, resolve, reject) as PipelinedCall<unknown>, now);
    });
  }

  /** How many wait for a connection, besides the one that has asked for it. */
  get waiting(): number {
    return Math.max(0, this.#waiting.size - (this.#asking ? 1 : 0));
  }

  /** Whether nothing is under way, and no connection on its way back. */
  get idle(): boolean {
    return this.#running === 0 && this.#returning.size === 0;
  }

  /** Ends all calls; their connections are not used again. Returns how many there were. */
  interrupt(why: Interruption, make: (failure: Failure) => Error): number {
    const failure = interrupted(why, RUNNING, false);
    let count = 0;
    for (const link of [...this.#links, ...this.#ending]) {
      for (const call of link.calls()) if (call.fail(make(failure))) count += 1;
      this.#end(link, why.cancel);
    }
    return count;
  }

  /** Resolves when the connections that were ended are gone. */
  async gone(): Promise<void> {
    await Promise.all(this.#returning);
  }

  /** Begins a call, or begins it anew. */
  #begin(call: PipelinedCall<unknown>, now: number): void {
    const link = this.#choose();
    if (link !== undefined) this.#send(link, call, now);
    else this.#wait(call);
  }

  #send(link: PipelineLink, call: PipelinedCall<unknown>, now: number): void {
    const { deadline } = call.operation;
    call.gotMs = now;
    call.limit = deadline === Number.POSITIVE_INFINITY ? now + this.host.statementTimeoutMs : deadline;
    if (!link.send(call)) {
      if (link.load === 0) this.#giveBack(link);
      return;
    }
    this.#running += 1;
    call.operation.hedged?.holds();
    if (call.limit < this.#watchAt) this.#setWatch(call.limit);
    if (link.unsent) return;
    link.unsent = true;
    if (this.#unsent.length === 0) setImmediate(this.#flush);
    this.#unsent.push(link);
  }

  /** What has been sent in one turn of the event loop leaves together. */
  readonly #flush = (): void => {
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const link of unsent) link.flush();
  };

  /** The link with least to do; a new one where all are busy. */
  #choose(): PipelineLink | undefined {
    if (this.#waiting.size > 0) return undefined;
    let least: PipelineLink | undefined;
    for (const link of this.#links) if (least === undefined || link.load < least.load) least = link;
    if (least !== undefined && least.load < Math.min(BUSY, this.#limits.depth)) return least;
    const { taken, max, waiting } = this.#source.permits;
    // One more where there is none; or where all are busy, if nobody else wants it.
    if (this.#mayAsk && (least === undefined || (taken < max && waiting === 0))) {
      const link = this.#ask();
      if (link !== undefined) return link;
    }
    return least !== undefined && least.load < this.#limits.depth ? least : undefined;
  }

  /** Asks for one connection more; it is there at once, or comes later and serves those who wait. */
  #ask(): PipelineLink | undefined {
    let found: DriverConnection | Promise<DriverConnection>;
    try {
      found = this.#source.take(REQUEST);
    } catch (error) {
      found = Promise.reject(error);
    }
    if (!(found instanceof Promise)) return this.#open(found);
    this.#asking = true;
    found.then(
      (connection) => {
        this.#asking = false;
        const link = this.#open(connection);
        this.#serve();
        if (link.load === 0) this.#giveBack(link);
      },
      (error: unknown) => {
        this.#asking = false;
        for (let call = this.#waiting.shift(); call !== undefined; call = this.#waiting.shift()) call.fail(error);
      },
    );
    return undefined;
  }

  #open(connection: DriverConnection): PipelineLink {
    const link = new PipelineLink(this, connection);
    this.#links.push(link);
    return link;
  }

  #wait(call: PipelinedCall<unknown>): void {
    if (this.#source.isFull(this.waiting)) {
      call.fail(this.#source.full());
      return;
    }
    call.limit = call.operation.deadline;
    this.#waiting.push(call);
    if (call.limit < this.#watchAt) this.#setWatch(call.limit);
    if (this.#mayAsk && this.#ask() !== undefined) this.#serve();
  }

  get #mayAsk(): boolean {
    return !this.#asking && this.#links.length < this.#limits.connections;
  }

  /** Sends those who wait, as far as there is room. */
  #serve(): void {
    for (let { first } = this.#waiting; first !== undefined; first = this.#waiting.first) {
      let least: PipelineLink | undefined;
      for (const link of this.#links) if (least === undefined || link.load < least.load) least = link;
      if (least === undefined || least.load >= this.#limits.depth) break;
      this.#waiting.remove(first);
      if (!first.over) this.#send(least, first, this.#now());
    }
    if (this.#waiting.size > 0 && this.#mayAsk && this.#ask() !== undefined) this.#serve();
  }

  /** A statement has ended, well or badly. For links. */
  ended(link: PipelineLink): void {
    this.#running -= 1;
    if (this.#waiting.size > 0) this.#serve();
    if (link.load === 0) this.#giveBack(link);
    if (this.#running === 0 && this.#waiting.size === 0) this.#unwatch();
  }

  /** A link is of no use any more: it died, or must not be used again. For links. */
  lost(link: PipelineLink): void {
    this.#end(link, false);
  }

  /** Sends a read again that has not been answered, over another connection. For links. */
  again(call: PipelinedCall<unknown>): void {
    this.#begin(call, this.#now());
  }

  /** A connection does not take several at once, or not at this moment. For links. */
  alone(call: PipelinedCall<unknown>): void {
    call.as(this.#pool.alone(call.operation));
  }

  /** A call has left before it was sent. For calls. */
  left(call: PipelinedCall<unknown>): void {
    this.#waiting.remove(call);
    if (this.#running === 0 && this.#waiting.size === 0) this.#unwatch();
  }

  #giveBack(link: PipelineLink): void {
    if (!this.#remove(link)) return;
    if (link.connection.usable) {
      link.connection.release();
      this.#source.permits.release();
      if (this.idle) this.#pool.idle();
    } else this.#destroy(link, false);
  }

  #end(link: PipelineLink, cancel: boolean): void {
    if (!this.#remove(link)) return;
    this.#running -= link.load;
    this.#destroy(link, cancel);
    if (this.#running === 0 && this.#waiting.size === 0) this.#unwatch();
  }

  #destroy(link: PipelineLink, cancel: boolean): void {
    link.over = true;
    // It may take a moment to be gone; until then its place is taken.
    const gone = link.connection.destroy(cancel).then(() => {
      this.#returning.delete(gone);
      this.#source.permits.release();
      if (this.idle) this.#pool.idle();
    });
    this.#returning.add(gone);
  }

  #remove(link: PipelineLink): boolean {
    const at = this.#links.indexOf(link);
    if (at !== -1) this.#links.splice(at, 1);
    return this.#ending.delete(link) || at !== -1;
  }

  /** Takes a link out of use; it goes back when what is under way has ended. */
  #retire(link: PipelineLink): void {
    const at = this.#links.indexOf(link);
    if (at === -1) return;
    this.#links.splice(at, 1);
    this.#ending.add(link);
  }

  #now(): number {
    return this.host.clock.now();
  }

  #setWatch(limit: number): void {
    const now = this.#now();
    this.#watch?.cancel();
    this.#watchAt = Math.min(limit, now + STUCK_MS);
    this.#watch = setLimit(this.host.clock, this.#watchAt - now, this.#look);
  }

  #unwatch(): void {
    this.#watch?.cancel();
    this.#watch = undefined;
    this.#watchAt = Number.POSITIVE_INFINITY;
  }

  /** Looks after everything that is under way: what is too late, and what holds up others. */
  readonly #look = (): void => {
    const now = this.#now();
    const overdue = now - this.#watchAt;
    this.#watchAt = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const call of listOf(this.#waiting)) {
      if (call.limit > now) next = Math.min(next, call.limit);
      else {
        this.#waiting.remove(call);
        call.fail(tooLate(this.host.name, "acquire", undefined));
      }
    }
    for (const link of [...this.#links, ...this.#ending]) next = Math.min(next, link.expire(now));
    if (now - this.#tickAt >= STUCK_MS) {
      this.#tickAt = now;
      if (overdue < LATE_MS) this.#lookForStuck();
      this.#makeRoom();
    }
    if (this.#running > 0 || this.#waiting.size > 0) this.#setWatch(next);
  };

  #lookForStuck(): void {
    for (const link of [...this.#links, ...this.#ending]) {
      if (!link.stuck()) continue;
      this.#retire(link);
      const behind = link.takeBehind();
      if (link.abandoned) this.#end(link, true);
      for (const call of behind) this.#begin(call, this.#now());
    }
  }

  /** Others wait for a connection of their own: one of ours goes back, and takes its turn again behind them. */
  #makeRoom(): void {
    const others = this.#source.permits.waiting - (this.#asking ? 1 : 0);
    const [oldest] = this.#links;
    if (others > 0 && oldest !== undefined) this.#retire(oldest);
  }
}
