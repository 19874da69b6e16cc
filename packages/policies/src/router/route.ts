/**
 * The way of one call past nodes that fail it, and what a failure allows.
 */
import { type Failure, failureOf, NodeLostError, type Operation } from "@breakwater/core";
import type { Destination } from "./destination.ts";
import type { RouterNode } from "./node.ts";

/** Where one call has been. */
export class Route<T> {
  wanted: Destination<T>;
  /** Until when it may wait for a node, in milliseconds of the clock. */
  readonly waitUntil: number;
  tried: RouterNode[] = [];
  /** How often a node has refused it as a standby does. */
  refusals = 0;
  last: unknown;
  /** The last node did not take it, for a reason that its next probe settles: the call waits for that. */
  turnedAway = false;

  constructor(wanted: Destination<T>, waitUntil: number) {
    this.wanted = wanted;
    this.waitUntil = waitUntil;
  }

  failed(node: RouterNode, error: unknown, turnedAway: boolean): void {
    this.tried.push(node);
    this.last = error;
    this.turnedAway = turnedAway;
    const { trace } = this.wanted.operation;
    trace?.note("router", "goes on elsewhere", { node: node.name, why: failureOf(error).reason, turnedAway });
  }

  /** What a standby refuses is a write, whatever its text looked like. */
  toPrimary(): void {
    this.wanted = { operation: { ...this.wanted.operation, access: "write" }, node: undefined };
  }

  /** Every node may be tried again. */
  begin(): void {
    this.tried = [];
    this.turnedAway = false;
  }
}

/**
 * Whether the node was not even asked: its circuit is open, which an answered probe closes, or the call was sent back when
 * connections were lost. Isolation by hand is no such thing: no probe ends it.
 */
export function wasTurnedAway({ phase, blames, retryAfterMs }: Failure, error: unknown): boolean {
  if (error instanceof NodeLostError) return phase === "connect";
  return phase === "acquire" && blames === "node" && retryAfterMs !== undefined;
}

/** Whether a call that failed on one node may be sent to another, without any wait. */
export function canMove(operation: Operation<unknown>, failure: Failure): boolean {
  if (failure.effect === "unknown" && !operation.idempotent) return false;
  return failure.retry === "other-node" || failure.retry === "primary";
}
