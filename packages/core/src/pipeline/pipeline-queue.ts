/**
 * Reads that wait for a connection that they can share, in the order of their coming.
 */
import { Chain } from "../waiting/chain.ts";
import type { PipelinedCall } from "./pipelined-call.ts";

export class PipelineQueue {
  readonly #calls = new Chain<PipelinedCall<unknown>>();

  get size(): number {
    return this.#calls.size;
  }

  get first(): PipelinedCall<unknown> | undefined {
    return this.#calls.first;
  }

  push(call: PipelinedCall<unknown>, limit: number): void {
    call.link = undefined;
    call.limit = limit;
    this.#calls.push(call);
  }

  remove(call: PipelinedCall<unknown>): void {
    this.#calls.remove(call);
  }

  /** Sends everybody away. Returns how many there were. */
  leave(reason: () => unknown): number {
    let count = 0;
    for (let call = this.#calls.shift(); call !== undefined; call = this.#calls.shift())
      if (call.fail(reason())) count += 1;
    return count;
  }

  /** Sends those away who have waited too long. Returns when the next one will have. */
  expire(now: number, late: () => Error): number {
    let next = Number.POSITIVE_INFINITY;
    for (let call = this.#calls.first; call !== undefined;) {
      const { after } = call;
      if (call.limit > now) next = Math.min(next, call.limit);
      else {
        this.#calls.remove(call);
        call.fail(late());
      }
      call = after;
    }
    return next;
  }
}
