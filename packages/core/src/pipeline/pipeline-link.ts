/**
 * One connection that several reads share.
 */
import { Chain } from "../waiting/chain.ts";
import type { DriverConnection } from "../contract/driver.ts";
import { TimeoutError } from "../contract/errors.ts";
import { noteFailure } from "../contract/failure.ts";
import { interrupted, LATE, NOT_SENT } from "../call/interruption.ts";
import type { Pipeline } from "./pipeline.ts";
import { type PipelinedCall, RUNNING } from "./pipelined-call.ts";

export class PipelineLink {
  readonly connection: DriverConnection;
  /** Something has been sent that has not left yet. */
  unsent = false;
  /** It is not used any more. */
  over = false;
  readonly #pipeline: Pipeline;
  // What is under way, in the order in which it was sent and will be answered.
  readonly #calls = new Chain<PipelinedCall<unknown>>();
  // Answers so far, and how many there were when it was last looked at, with something under way.
  #answers = 0;
  #seen = -1;

  constructor(pipeline: Pipeline, connection: DriverConnection) {
    this.#pipeline = pipeline;
    this.connection = connection;
  }

  /** How many are under way. */
  get load(): number {
    return this.#calls.size;
  }

  /** What is under way, the oldest first. */
  calls(): PipelinedCall<unknown>[] {
    return listOf(this.#calls);
  }

  /** Whether whoever asked for what runs now has left. */
  get abandoned(): boolean {
    return this.#calls.first?.over === true;
  }

  /** Whether something runs, and everybody who has asked for it has left. */
  get left(): boolean {
    return this.load > 0 && this.calls().every(({ over }) => over);
  }

  /** Sends a read behind the others. False when the driver does not take it. */
  send(call: PipelinedCall<unknown>): boolean {
    call.link = this;
    try {
      if (this.connection.send?.(call.operation.statement, call) !== true) {
        this.#pipeline.refused(this, call);
        return false;
      }
    } catch (error) {
      noteFailure(error, NOT_SENT);
      call.fail(error);
      return false;
    }
    this.#calls.push(call);
    return true;
  }

  flush(): void {
    this.unsent = false;
    this.connection.flush?.();
  }

  ended(call: PipelinedCall<unknown>): void {
    this.#answers += 1;
    if (this.over) return;
    this.#calls.remove(call);
    this.#pipeline.ended(this);
  }

  /** Its own error, and nobody else's, unless the connection is lost with it: then those behind it are sent again. */
  failed(call: PipelinedCall<unknown>, error: unknown): void {
    if (this.over) return;
    const { host } = this.#pipeline;
    // What becomes of a statement whose caller has left is not counted.
    const failure = call.over ? host.dialect.judge(error, RUNNING) : host.judge(error, RUNNING);
    noteFailure(error, failure);
    call.fail(error);
    if (this.connection.usable && failure.connection === "keep") {
      this.ended(call);
      return;
    }
    const behind = this.takeBehind();
    // Those that have been sent twice hear of it as well.
    for (const other of this.calls()) other.fail(error);
    this.#pipeline.end(this, false);
    this.#pipeline.again(behind);
  }

  /** Ends what is too late. Returns when the next one will be. */
  expire(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const call of this.calls()) {
      if (call.over) continue;
      if (call.limit > now) next = Math.min(next, call.limit);
      else call.fail(this.#late(call));
    }
    return next;
  }

  /** Whether nothing has been answered since it was last asked, although something was under way. */
  stuck(): boolean {
    const stuck = this.#seen === this.#answers;
    this.#seen = this.#calls.size > 0 ? this.#answers : -1;
    return stuck && this.#calls.size > 0;
  }

  /** Those behind the one that runs, to be sent elsewhere. What comes of them here still counts if it comes first. */
  takeBehind(): PipelinedCall<unknown>[] {
    const [, ...behind] = this.calls();
    return behind.filter(({ repeatable }) => repeatable).map((call) => call.again());
  }

  #late({ operation: { deadline } }: PipelinedCall<unknown>): TimeoutError {
    const { name, statementTimeoutMs } = this.#pipeline.host;
    const what =
      deadline === Number.POSITIVE_INFINITY
        ? `a statement ran longer than ${statementTimeoutMs} ms`
        : "the deadline passed";
    return new TimeoutError(name, what, interrupted(LATE, RUNNING, false));
  }
}

/** The calls of a chain, the first first. */
function listOf(chain: Chain<PipelinedCall<unknown>>): PipelinedCall<unknown>[] {
  const calls: PipelinedCall<unknown>[] = [];
  for (let call = chain.first; call !== undefined; call = call.after) calls.push(call);
  return calls;
}
