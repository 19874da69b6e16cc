/**
 * Single reads over a few connections that they share, several under way on each: fewer messages to and from the
 * operating system, and less work for both sides.
 *
 * Only what may be repeated shares a connection. So nothing is lost when a connection dies or one statement holds up those
 * behind it: they are sent again elsewhere. Everything else has a connection of its own.
 */
import type { CallHost } from "../call/call-host.ts";
import { type ConnectionSource, tooLate } from "../store/connection-source.ts";
import type { DriverConnection, Pipelining } from "../contract/driver.ts";
import { TimeoutError } from "../contract/errors.ts";
import { interrupted, type Interruption } from "../call/interruption.ts";
import { type Failure, failureOf } from "../contract/failure.ts";
import type { Operation } from "../contract/operation.ts";
import { PipelineLink } from "./pipeline-link.ts";
import { PipelineLinks } from "./pipeline-links.ts";
import type { PipelinePool } from "./pipeline-pool.ts";
import { PipelineQueue } from "./pipeline-queue.ts";
import { isShareable, PipelinedCall, RUNNING } from "./pipelined-call.ts";
import { Watch } from "../waiting/watch.ts";

/** A connection that has so many under way is busy: another one is taken, if there may be one and it is at hand. */
const BUSY = 8;
/** A connection on which nothing was answered for so long, and the way besides, holds up those behind, in milliseconds. */
const STUCK_MS = 25;
/** The time itself came so much too late, in milliseconds: answers may lie there unread. */
const LATE_MS = 10;
const REQUEST = { deadline: Number.POSITIVE_INFINITY, signal: undefined, access: "read" } as const;

export class Pipeline {
  readonly host: CallHost;
  readonly #source: ConnectionSource;
  readonly #limits: Pipelining;
  readonly #links = new PipelineLinks(() => this.settle());
  readonly #waiting = new PipelineQueue();
  // A connection has been asked for and has not come.
  #asking = false;
  // Those who wait are to be served in a later turn.
  #serving = false;
  #running = 0;
  readonly #watch: Watch;
  #tickAt = 0;
  readonly #pool: PipelinePool;

  constructor(host: CallHost, source: ConnectionSource, limits: Pipelining, pool: PipelinePool) {
    this.host = host;
    this.#pool = pool;
    this.#watch = new Watch(host.clock, STUCK_MS, (now, overdueMs) => this.#look(now, overdueMs));
    this.#source = source;
    this.#limits = limits;
  }

  /** Runs an operation that can share a connection; undefined for one that must have a connection of its own. */
  execute<T>(operation: Operation<T>): Promise<T> | undefined {
    if (!isShareable(operation) || !this.#limits.fits(operation.statement)) return undefined;
    return new Promise((resolve, reject) => {
      const now = this.host.clock.now();
      this.#begin(new PipelinedCall<T>(this, operation, now, resolve, reject) as PipelinedCall<unknown>, now);
    });
  }

  /** How many wait for a connection, besides the one that has asked for it. */
  get waiting(): number {
    return Math.max(0, this.#waiting.size - (this.#asking ? 1 : 0));
  }

  /** Whether nothing is under way, and no connection on its way back. */
  get idle(): boolean {
    return this.#running === 0 && this.#links.back;
  }

  /** How many connections nobody uses any more, and others may not have yet. */
  get returning(): number {
    return this.#links.returning;
  }

  /** Gives back what has nothing to do. It stays a moment, for those who just had their answers; nobody else is to see that. */
  settle(): void {
    for (const link of this.#links.settled()) this.#giveBack(link);
    this.#rest();
  }

  /** Sends those back who have not been sent anywhere yet. Returns how many. */
  leave(reason: () => unknown): number {
    const count = this.#waiting.leave(reason);
    this.#rest();
    return count;
  }

  /** Ends all calls that are under way; their connections are not used again. Returns how many there were. */
  interrupt(why: Interruption, make: (failure: Failure) => Error): number {
    const failure = interrupted(why, RUNNING, false);
    let count = 0;
    for (const link of this.#links.all) {
      for (const call of link.calls()) if (call.fail(make(failure))) count += 1;
      this.end(link, why.cancel);
    }
    return count;
  }

  /** Resolves when the connections that were ended are gone. */
  gone(): Promise<unknown> {
    return this.#links.gone();
  }

  #begin(call: PipelinedCall<unknown>, now: number): void {
    const link = this.#choose(now);
    if (link !== undefined) this.#send(link, call, now);
    else this.#wait(call, now);
  }

  /** Sends reads again in a later turn: by then whoever routes calls has heard why, and may send them back. For links. */
  again(calls: readonly PipelinedCall<unknown>[]): void {
    for (const call of calls) this.#queue(call, this.host.clock.now());
    this.#serveLater();
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
    this.#watch.by(call.limit);
    this.#links.sent(link, this.#running === 1);
  }

  /** The link with least to do; where all are busy, one that has just had nothing to do, or a new one. */
  #choose(now: number): PipelineLink | undefined {
    if (this.#waiting.size > 0) return undefined;
    const { least, idle } = this.#links;
    const { depth } = this.#limits;
    if (least !== undefined && least.load < Math.min(BUSY, depth)) return least;
    if (idle !== undefined) {
      if (this.#source.again(idle.connection, now)) return idle;
      this.#giveBack(idle);
      return this.#choose(now);
    }
    const { taken, max, waiting } = this.#source.permits;
    // One more where there is none; or where all are busy, if nobody else wants it.
    if (this.#mayAsk && (least === undefined || (taken < max && waiting === 0))) {
      const link = this.#ask();
      if (link !== undefined) return link;
    }
    return least !== undefined && least.load < depth ? least : undefined;
  }

  /** Asks for one connection more; it is there at once, or comes later and serves those who wait. */
  #ask(): PipelineLink | undefined {
    let found: DriverConnection | Promise<DriverConnection>;
    try {
      found = this.#source.take(REQUEST);
    } catch (error) {
      // Others have all there are, and nothing runs here.
      if (this.#running === 0) this.leave(() => error);
      return undefined;
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
        // Each waits as long as a call may, and as long as something runs those who wait come after it.
        if (error instanceof TimeoutError && failureOf(error).phase === "acquire") this.#serveLater();
        else if (this.#running === 0) this.leave(() => error);
      },
    );
    return undefined;
  }

  #open(connection: DriverConnection): PipelineLink {
    return this.#links.add(new PipelineLink(this, connection));
  }

  #wait(call: PipelinedCall<unknown>, now: number): void {
    // One of them has asked for a connection, and waits there.
    if (this.#source.isFull(this.#waiting.size + (this.#asking ? 0 : 1))) {
      call.fail(this.#source.full());
      return;
    }
    this.#queue(call, now);
    if (this.#mayAsk && this.#ask() !== undefined) this.#serve();
  }

  #queue(call: PipelinedCall<unknown>, now: number): void {
    this.#waiting.push(call, this.#source.limitOf(call.operation, now));
    this.#watch.by(call.limit);
  }

  get #mayAsk(): boolean {
    return !this.#asking && this.#links.open < this.#limits.connections;
  }

  /** Sends those who wait, as far as there is room. */
  #serve(): void {
    for (let { first } = this.#waiting; first !== undefined; first = this.#waiting.first) {
      const { least, idle } = this.#links;
      const link = least !== undefined && least.load < this.#limits.depth ? least : idle;
      if (link === undefined) break;
      this.#waiting.remove(first);
      if (!first.over) this.#send(link, first, this.host.clock.now());
    }
    if (this.#waiting.size > 0 && this.#mayAsk && this.#ask() !== undefined) this.#serve();
  }

  #serveLater(): void {
    if (this.#serving || this.#waiting.size === 0) return;
    this.#serving = true;
    setImmediate(() => {
      this.#serving = false;
      this.#serve();
    });
  }

  /** A statement has ended, well or badly. For links. */
  ended(link: PipelineLink): void {
    this.#running -= 1;
    if (this.#waiting.size > 0) this.#serve();
    if (link.load > 0) return;
    if (!this.#source.mayStay || !this.#links.takesMore(link)) this.#giveBack(link);
    this.#links.settleLater();
  }

  /** A connection does not take several at once, or not at this moment; or it is dead and has not said so yet. For links. */
  refused(link: PipelineLink, call: PipelinedCall<unknown>): void {
    if (link.connection.usable) return call.as(this.#pool.alone(call.operation));
    this.#links.retire(link);
    this.again([call]);
  }

  /** A call has left before it was sent. For calls. */
  left(call: PipelinedCall<unknown>): void {
    this.#waiting.remove(call);
    this.#rest();
  }

  #giveBack(link: PipelineLink): void {
    this.#links.giveBack(link, this.#freed);
  }

  /** Ends a link that died, or must not be used again. */
  end(link: PipelineLink, cancel: boolean): void {
    if (!this.#links.remove(link)) return;
    this.#running -= link.load;
    this.#links.destroy(link, cancel, this.#freed);
    this.#serveLater();
    this.#rest();
  }

  readonly #freed = (): void => {
    this.#source.permits.release();
    if (this.idle) this.#pool.idle();
  };

  /** Nothing is to be looked after where nothing is under way. */
  #rest(): void {
    if (this.#running === 0 && this.#waiting.size === 0) this.#watch.end();
  }

  /** Looks after everything that is under way: what is too late, and what holds up others. */
  #look(now: number, overdueMs: number): void {
    let next = this.#waiting.expire(now, () => tooLate(this.host.name, "acquire", undefined));
    for (const link of this.#links.all) next = Math.min(next, link.expire(now));
    if (now - this.#tickAt >= STUCK_MS + (this.#limits.wayMs?.() ?? 0)) {
      this.#tickAt = now;
      if (overdueMs < LATE_MS) this.#lookForStuck(now);
      this.#makeRoom();
    }
    if (this.#running > 0 || this.#waiting.size > 0) this.#watch.by(next);
  }

  #lookForStuck(now: number): void {
    for (const link of this.#links.all) {
      if (!link.stuck()) continue;
      this.#links.retire(link);
      const behind = link.takeBehind();
      // Those that have been sent twice, and stand behind such a one again, have a connection to themselves.
      for (const call of link.calls().slice(1)) if (call.isLast) call.as(this.#pool.alone(call.operation));
      if (link.abandoned) this.end(link, true);
      for (const call of behind) this.#begin(call, now);
    }
  }

  /** Others wait for a connection of their own: one of ours goes back, and takes its turn again behind them. */
  #makeRoom(): void {
    const others = this.#source.permits.waiting - (this.#asking ? 1 : 0);
    const { oldest } = this.#links;
    if (others > 0 && oldest !== undefined) this.#links.retire(oldest);
  }
}
