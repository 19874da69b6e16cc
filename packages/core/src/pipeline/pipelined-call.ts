/**
 * One read that shares a connection.
 */
import { abortReason } from "../waiting/bounded.ts";
import type { Linked } from "../waiting/chain.ts";
import type { StatementReceiver } from "../contract/driver.ts";
import type { Situation } from "../contract/failure.ts";
import { type Operation, type QueryOperation, runStatement } from "../contract/operation.ts";
import type { Pipeline } from "./pipeline.ts";
import type { PipelineLink } from "./pipeline-link.ts";
import type { QueryResult } from "../contract/pool.ts";

/** In what situation such a read runs. */
export const RUNNING: Situation = Object.freeze({ phase: "running", access: "read", inTransaction: false });

/** Whether an operation is one that may be repeated: one statement that reads, for whose answer somebody still waits. */
export function isShareable<T>(operation: Operation<T>): operation is QueryOperation<T> {
  if (operation?.kind !== "query" || operation.access !== "read") return false;
  if (operation.run !== runStatement && operation.run !== operation.runsStatement) return false;
  const { purpose, held, signal } = operation;
  return purpose !== "probe" && held === undefined && signal?.aborted !== true;
}

export class PipelinedCall<T> implements StatementReceiver, Linked<PipelinedCall<unknown>> {
  before: PipelinedCall<unknown> | undefined;
  after: PipelinedCall<unknown> | undefined;
  readonly operation: QueryOperation<T>;
  /** When it must have ended, in milliseconds of the clock. */
  limit = 0;
  /** When it was sent, on the same clock; undefined while it waits. */
  gotMs: number | undefined;
  /** Where it was sent; undefined while it waits. */
  link: PipelineLink | undefined;
  /** Its caller has an answer, or has left. */
  over = false;
  readonly #pipeline: Pipeline;
  readonly #askedMs: number;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  // The same read on another connection: the first answer counts, and only the failure of the later one.
  #earlier: PipelinedCall<T> | undefined;
  #later: PipelinedCall<T> | undefined;

  constructor(
    pipeline: Pipeline,
    operation: QueryOperation<T>,
    askedMs: number,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.#pipeline = pipeline;
    this.operation = operation;
    this.#askedMs = askedMs;
    this.#resolve = resolve;
    this.#reject = reject;
    operation.signal?.addEventListener("abort", this, { once: true });
  }

  answered(result: QueryResult): void {
    if (!this.over) this.#count();
    this.#settle();
    if (this.#earlier !== undefined) this.#earlier.#settle();
    if (this.#later !== undefined) this.#later.#settle();
    this.#resolve(result as T);
    (this.link as PipelineLink).ended(this as PipelinedCall<unknown>);
  }

  failed(error: unknown): void {
    (this.link as PipelineLink).failed(this as PipelinedCall<unknown>, error);
  }

  /** Ends it for its caller. False when it was over, or has been sent again: then the other one tells. */
  fail(error: unknown): boolean {
    if (this.over || this.#later !== undefined) return false;
    this.#count();
    this.#pipeline.host.meter.failed(error);
    this.#settle();
    if (this.#earlier !== undefined) this.#earlier.#settle();
    this.#reject(error);
    return true;
  }

  /** Ends as a call that has a connection of its own does. */
  as(call: Promise<T>): void {
    this.#settle();
    call.then(this.#resolve, this.#reject);
  }

  /** The caller left. What was sent runs on, and its answer is not for anybody. */
  handleEvent(): void {
    if (this.link === undefined && !this.over) this.#pipeline.left(this as PipelinedCall<unknown>);
    this.fail(abortReason(this.operation.signal as AbortSignal));
  }

  /** Whether it can be sent once more: nobody has it answered, and it has not been sent twice. */
  get repeatable(): boolean {
    return !this.over && this.#earlier === undefined && this.#later === undefined;
  }

  /** Whether nobody else will be sent to answer it: it is the second of two. */
  get isLast(): boolean {
    return !this.over && this.#earlier !== undefined && this.#later === undefined;
  }

  /** The same read, to be sent once more. This one goes on. */
  again(): PipelinedCall<T> {
    this.#later = new PipelinedCall(this.#pipeline, this.operation, this.#askedMs, this.#resolve, this.#reject);
    this.#later.#earlier = this;
    return this.#later;
  }

  #count(): void {
    const { meter, clock } = this.#pipeline.host;
    meter.ended(this.#askedMs, this.gotMs, clock.now());
  }

  #settle(): void {
    if (this.over) return;
    this.over = true;
    this.operation.signal?.removeEventListener("abort", this);
  }
}
