/**
 * One of the two goes at a read: where it is, and how it is ended.
 */
import {
  type Clock,
  type HedgedGo,
  noteFailure,
  type Operation,
  type QueryOperation,
  type Timer,
} from "@breakwater/core";

/** Ends a go that is not needed any more. Nobody hears of it. */
function superfluous(): Error {
  const error = new Error("the other go at this read has answered");
  noteFailure(error, {
    phase: "unsent",
    effect: "none",
    retry: "never",
    blames: "caller",
    connection: "keep",
    reason: "the other go at this read has answered",
  });
  return error;
}

export class Go implements HedgedGo {
  readonly other: HedgedGo["other"];
  /** The nodes that it has been sent to; the last one has it. */
  readonly nodes: string[] = [];
  settled = false;
  readonly #controller = new AbortController();
  readonly #mayGo: ((node: string) => boolean) | undefined;
  #holds = false;
  #lost = false;
  #timer: Timer | undefined;

  /** `mayGo` is asked before a second go is sent to a node. */
  constructor(other?: HedgedGo["other"], mayGo?: (node: string) => boolean) {
    this.other = other;
    this.#mayGo = mayGo;
  }

  sentTo(node: string): boolean {
    // It has failed meanwhile, and was to be sent anew: it holds nothing any more, and is not needed.
    if (this.#lost) this.cancel();
    if (this.#lost || this.#mayGo?.(node) === false) return false;
    this.nodes.push(node);
    this.#holds = false;
    return true;
  }

  holds(): void {
    this.#holds = true;
  }

  /** The read as this go. */
  of<T>(operation: QueryOperation<T>): Operation<T> {
    return { ...operation, hedged: this, signal: this.#controller.signal };
  }

  /** The caller has left. */
  leave(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /**
   * The other go has answered. One that waits leaves at once. One that runs is let run out for a while: to cancel it would
   * cost a connection, and nearly always it ends by itself. False when there is nothing to wait for.
   */
  lose(clock: Clock, runOutMs: number, cancelled: () => void): boolean {
    this.#lost = true;
    if (!this.#holds) {
      this.cancel();
      return false;
    }
    this.#timer = clock.setTimer(
      runOutMs,
      () => {
        cancelled();
        this.cancel();
      },
      true,
    );
    return true;
  }

  cancel(): void {
    this.#timer?.cancel();
    if (!this.settled) this.#controller.abort(superfluous());
  }

  settle(): void {
    this.settled = true;
    this.#timer?.cancel();
  }
}
