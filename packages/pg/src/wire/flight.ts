/**
 * Several statements that are sent together, and whose answers are given together.
 */
import type { QueryResult, Statement, StatementReceiver } from "@breakwater/core";
import { postgres } from "@breakwater/postgres";
import type { WireLink } from "./link.ts";

/** Sends statements one behind the other, in one piece. What stands behind one that fails is not carried out, save behind a COMMIT. */
export function flight(wire: WireLink, parts: readonly Statement[]): Promise<readonly QueryResult[]> {
  return new Promise((resolve, reject) => {
    const together = new Flight(parts.length, resolve, reject);
    const last = parts.length - 1;
    for (const [index, part] of parts.entries()) {
      // Whoever watches a link, to strike or to count, knows a commit by its simple message. It can only be the first: after
      // an error the server would ignore it like all else up to a Sync.
      const own = index === 0 && postgres.commits(part.text);
      wire.send(part, together, own ? "own" : index < last ? "more" : "last");
    }
    wire.flush();
  });
}

/** Hears how statements end that were sent together, and tells it when all have ended. */
export class Flight implements StatementReceiver {
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
