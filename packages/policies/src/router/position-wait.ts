/**
 * Lets a replica's server wait until it has got far enough for reads, where it can: over one connection beside all others,
 * whoever wants the least first.
 */
import { type Clock, type NodeState, operationContext } from "@breakwater/core";
import type { RouterNode } from "./node.ts";

/** Longest that the server waits at a time, in milliseconds: so long may somebody stand behind who wants less. */
const SLICE_MS = 25;
/** Longest wait for its answer after that, in milliseconds. */
const ANSWER_MS = 1_000;

/** Who waits for a position, and until when. */
interface Waiting {
  readonly position: bigint;
  readonly until: number;
  told(state: NodeState | undefined): void;
}

/** Whether a node's server can be asked to wait. A primary has nothing to wait for. */
export function canWait({ pool, observed }: RouterNode): boolean {
  return pool.dialect.reach !== undefined && observed?.role === "replica";
}

export class PositionWait {
  readonly #node: RouterNode;
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();
  #running = false;

  constructor(node: RouterNode, clock: Clock) {
    this.#node = node;
    this.#clock = clock;
  }

  /**
   * Where the node is, when it has got as far as `position`, when that takes longer than until `until`, or when its server
   * does not wait; undefined when it does not say. Never rejects.
   */
  reach(position: bigint, until: number): Promise<NodeState | undefined> {
    const reached = new Promise<NodeState | undefined>((told) => this.#waiting.add({ position, until, told }));
    if (!this.#running) void this.#run();
    return reached;
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let first = this.#first(); first !== undefined; first = this.#first()) {
      const { state, waited } = await this.#ask(first);
      const now = this.#clock.now();
      for (const each of this.#waiting) {
        const reached = state?.position !== undefined && state.position >= each.position;
        // Who has come meanwhile and wants more begins to wait, unless there is no waiting.
        if (waited && !reached && now < each.until) continue;
        this.#waiting.delete(each);
        each.told(state);
      }
    }
    this.#running = false;
  }

  #first(): Waiting | undefined {
    let first: Waiting | undefined;
    for (const each of this.#waiting) if (first === undefined || each.position < first.position) first = each;
    return first;
  }

  async #ask({
    position,
    until,
  }: Waiting): Promise<{ readonly state: NodeState | undefined; readonly waited: boolean }> {
    const { pool } = this.#node;
    const now = this.#clock.now();
    const waitMs = Math.min(SLICE_MS, Math.max(1, until - now));
    try {
      const reached = await pool.execute({
        ...operationContext("read"),
        kind: "session",
        // Its connection is no caller's, and how long it takes says nothing of the node.
        purpose: "probe",
        deadline: now + waitMs + ANSWER_MS,
        run: async (connection) => await pool.dialect.reach?.(connection, position, waitMs),
      });
      if (reached === undefined) return { state: undefined, waited: false };
      this.#node.observed = reached.state;
      return reached;
    } catch {
      return { state: undefined, waited: false };
    }
  }
}
