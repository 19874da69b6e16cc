/**
 * The pool that a pipeline belongs to.
 */
import type { Operation } from "../contract/operation.ts";

/** What a pipeline has its pool do. */
export interface PipelinePool {
  /** Runs an operation over a connection of its own. */
  alone<T>(operation: Operation<T>): Promise<T>;
  /** Hears that nothing is under way any more. */
  idle(): void;
}
