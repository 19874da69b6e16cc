/**
 * What a struck call is made to meet, on one pool.
 */
import {
  abortReason,
  type Clock,
  type Failure,
  type Next,
  noteFailure,
  type Operation,
  OutcomeUnknownError,
  type Phase,
  type Pool,
  type Random,
  type Situation,
  type QueryResult,
  type TransactionIdentity,
  type TransactionOperation,
} from "@breakwater/core";
import type { ScopedFault } from "./chaos-fault.ts";
import { driverError, refusedAcquire, socketError, tooLate } from "./injected-error.ts";
import { type ChaosFaultKind, type LatencyFault, phaseOf } from "./options.ts";

/** Where a transaction is known without a question. */
const NO_ANSWER: QueryResult = { rows: [], rowCount: 0, command: "", fields: [] };

export class Striker {
  readonly hits: Record<ChaosFaultKind, number> = { error: 0, latency: 0, "lost-reply": 0, "refused-acquire": 0 };
  readonly #pool: Pool;
  readonly #clock: Clock;
  readonly #random: Random;
  /** Ends of the injected waits. */
  readonly #waits = new Set<() => void>();

  constructor(pool: Pool, clock: Clock, random: Random) {
    this.#pool = pool;
    this.#clock = clock;
    this.#random = random;
  }

  /** Of several faults, latencies add up, and the first of all others decides. */
  execute<T>(operation: Operation<T>, next: Next, faults: readonly ScopedFault[]): Promise<T> {
    let latencyMs: number | undefined;
    let decisive: ScopedFault | undefined;
    for (const fault of faults) {
      const { options } = fault;
      if (options.fault === "latency") {
        if (!fault.claim(operation, this.#pool.name)) continue;
        latencyMs = (latencyMs ?? 0) + this.#draw(options);
        this.#note(fault, operation, undefined);
      } else if (decisive === undefined && fault.claim(operation, this.#pool.name)) decisive = fault;
    }
    if (latencyMs === undefined) return this.#strike(operation, next, decisive);
    return this.#wait(latencyMs, operation).then(
      () => this.#strike(operation, next, decisive),
      (error: unknown) => {
        decisive?.giveBack();
        throw error;
      },
    );
  }

  /** Ends what waits: the pool further in says that it is closed. */
  close(): void {
    for (const end of this.#waits) end();
  }

  #strike<T>(operation: Operation<T>, next: Next, fault: ScopedFault | undefined): Promise<T> {
    const options = fault?.options;
    if (fault === undefined || options === undefined) return next(operation);
    if (options.fault === "lost-reply") return this.#loseReply(operation, next, fault);
    if (options.fault === "refused-acquire") {
      return Promise.reject(this.#note(fault, operation, refusedAcquire(this.#pool.name)));
    }
    if (options.fault !== "error") return next(operation);
    const phase = phaseOf(options);
    if (phase === "committing" && operation.kind === "transaction") return this.#failCommit(operation, next, fault);
    return Promise.reject(this.#note(fault, operation, this.#judged(driverError(options), operation, phase)));
  }

  /** The call is run, and its answer thrown away. What fails by itself is not struck. */
  async #loseReply<T>(operation: Operation<T>, next: Next, fault: ScopedFault): Promise<T> {
    const known: Known = { identity: undefined };
    let value: T;
    try {
      value = await next(operation.kind === "transaction" ? this.#identified(operation, known) : operation);
    } catch (error) {
      fault.giveBack();
      throw error;
    }
    const phase = operation.kind === "transaction" ? "committing" : "running";
    const error = socketError(phase, "injected fault: the reply was lost");
    throw this.#note(fault, operation, this.#judged(error, operation, phase, known.identity, value));
  }

  /** The transaction's function runs, and what it has done is rolled back; the caller hears what the fault says. */
  async #failCommit<T>(operation: TransactionOperation<T>, next: Next, fault: ScopedFault): Promise<T> {
    const { options } = fault;
    const known: Known = { identity: undefined };
    const identified = this.#identified(operation, known);
    const end = new Error("injected fault: the transaction does not commit");
    let reached: { readonly value: T } | undefined;
    const run: TransactionOperation<T>["run"] = async (connection, attempt) => {
      reached = { value: await identified.run(connection, attempt) };
      throw end;
    };
    try {
      return await next({ ...identified, run });
    } catch (error) {
      if (error !== end || reached === undefined || options.fault !== "error") {
        fault.giveBack();
        throw error;
      }
      const injected = this.#judged(driverError(options), operation, "committing", known.identity, reached.value);
      throw this.#note(fault, operation, injected);
    }
  }

  /** The same transaction; it finds out who it is where somebody may want to ask after it. */
  #identified<T>(operation: TransactionOperation<T>, known: Known): TransactionOperation<T> {
    const { resolution } = this.#pool.dialect;
    if (!operation.resolvable || resolution === undefined) return operation;
    return {
      ...operation,
      run: async (connection, attempt) => {
        const incarnation = await resolution.incarnation(connection);
        const { identityText } = resolution;
        const answer = identityText === undefined ? NO_ANSWER : await connection.query({ text: identityText });
        const identity = resolution.identity(answer, incarnation, connection);
        if (identity !== undefined) known.identity = { ...identity, node: this.#pool.name };
        return operation.run(connection, attempt);
      },
    };
  }

  /** The error as the caller of an adapter gets it: judged by the dialect, and of unknown outcome where that is so. */
  #judged(
    error: unknown,
    operation: Operation<unknown>,
    phase: Phase,
    transaction?: TransactionIdentity,
    value?: unknown,
  ): unknown {
    const { name, dialect, events } = this.#pool;
    const failure = dialect.judge(error, situationOf(operation, phase, this.#pool));
    if (failure.effect === "none" || isEarly(phase)) {
      noteFailure(error, harmless(failure, phase));
      return error;
    }
    operation.causality?.wrote();
    const unanswered = transaction === undefined ? undefined : { transaction, value };
    const unknown = new OutcomeUnknownError(name, error, failure, unanswered);
    events.emit("call:outcome-unknown", { pool: name, label: operation.label, error: unknown });
    return unknown;
  }

  #note(fault: ScopedFault, { label }: Operation<unknown>, error: unknown): unknown {
    const { name: pool, events } = this.#pool;
    const kind = fault.options.fault;
    this.hits[kind] += 1;
    fault.hit();
    if (events.has("chaos:injected")) events.emit("chaos:injected", { pool, label, fault: kind, error });
    return error;
  }

  #draw({ latencyMs }: LatencyFault): number {
    if (typeof latencyMs === "number") return latencyMs;
    const [min, max] = latencyMs;
    return min + this.#random() * (max - min);
  }

  /** Waits, but not beyond the call's deadline, and not for a caller who has left. */
  #wait(latencyMs: number, { deadline, signal }: Operation<unknown>): Promise<void> {
    const leftMs = deadline - this.#clock.now();
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(abortReason(signal));
        return;
      }
      const settle = (how: () => void): void => {
        timer.cancel();
        signal?.removeEventListener("abort", onAbort);
        this.#waits.delete(end);
        how();
      };
      const end = (): void => settle(resolve);
      const onAbort = (): void => settle(() => reject(abortReason(signal as AbortSignal)));
      const inTime = latencyMs < leftMs;
      const timer = this.#clock.setTimer(Math.max(0, Math.min(latencyMs, leftMs)), () =>
        settle(inTime ? resolve : () => reject(tooLate(this.#pool.name))),
      );
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waits.add(end);
    });
  }
}

interface Known {
  identity: TransactionIdentity | undefined;
}

/** Whether the call has not been sent. */
function isEarly(phase: Phase): boolean {
  return phase === "acquire" || phase === "connect" || phase === "unsent";
}

/** What was not sent has left nothing behind, whatever a dialect makes of the error. */
function harmless(failure: Failure, phase: Phase): Failure {
  return isEarly(phase) ? { ...failure, phase, effect: "none" } : failure;
}

function situationOf(operation: Operation<unknown>, phase: Phase, { dialect }: Pool): Situation {
  const { kind, access } = operation;
  const inParts = kind === "query" && dialect.commitsInParts?.(operation.statement.text) === true;
  return { phase, access, inTransaction: kind === "transaction", inParts };
}
