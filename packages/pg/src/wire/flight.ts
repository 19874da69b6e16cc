/**
 * Several statements that are sent together, and whose answers are given together.
 */
import type { QueryResult, Statement, StatementReceiver } from "@breakwater/core";
import type { WireLink } from "./link.ts";

/** Sends statements one behind the other, in one piece. What stands behind one that fails is not carried out, save behind a COMMIT. */
export function flight(wire: WireLink, parts: readonly Statement[]): Promise<readonly QueryResult[]> {
  return new Promise((resolve, reject) => {
    const together = new Flight(parts.length, resolve, reject);
    const last = parts.length - 1;
    for (let index = 0; index <= last; index += 1)
      wire.send(parts[index] as Statement, together, index < last ? "more" : "last");
    wire.flush();
  });
}

class Flight implements StatementReceiver {
  readonly #resolve: (results: QueryResult[]) => void;
  readonly #reject: (error: unknown) => void;
  readonly #results: QueryResult[] = [];
  #missing: number;
  #failed: { readonly error: unknown } | undefined;

  constructor(count: number, resolve: (results: QueryResult[]) => void, reject: (error: unknown) => void) {
    this.#missing = count;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  answered(result: QueryResult): void {
    this.#results.push(result);
    this.#ended();
  }

  /** The first failure counts: those behind it may have failed because of it. */
  failed(error: unknown): void {
    this.#failed ??= { error };
    this.#ended();
  }

  #ended(): void {
    this.#missing -= 1;
    if (this.#missing > 0) return;
    if (this.#failed === undefined) this.#resolve(this.#results);
    else this.#reject(this.#failed.error);
  }
}
