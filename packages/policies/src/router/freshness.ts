/**
 * Which replica has got far enough for a read, found out with as few questions as will do.
 */
import {
  bounded,
  type Causality,
  type Clock,
  type Events,
  type HistoryPoint,
  type NodeState,
  type Operation,
  operationContext,
  sleep,
} from "@breakwater/core";
import type { RouterNode } from "./node.ts";
import type { RouterLimits } from "./options.ts";
import { canWait, PositionWait } from "./position-wait.ts";

/** Longest wait for a node to say where it is, in milliseconds. */
const ASK_MS = 1_000;
/** Pause before a replica that was not far enough is asked again, in milliseconds. */
const PAUSE_MS = 3;
/** Most nodes that are asked for one call. */
const MAX_ASKED = 3;

/** Ends a wait inside this file. */
class OutOfTime extends Error {}

function undefinedWhenLate(error: unknown): undefined {
  if (!(error instanceof OutOfTime)) throw error;
}

/** Asks one node where it is, once for everybody who wants to know at the same time. */
export class PositionQuestion {
  readonly #node: RouterNode;
  readonly #clock: Clock;
  #running: Promise<NodeState | undefined> | undefined;
  #next: Promise<NodeState | undefined> | undefined;

  constructor(node: RouterNode, clock: Clock) {
    this.#node = node;
    this.#clock = clock;
  }

  /** Where the node is, by a question sent after this call; undefined when it does not say. */
  ask(): Promise<NodeState | undefined> {
    if (this.#running === undefined) return this.#send();
    // The answer that is on its way may have been given before: everybody who comes now shares the one after it.
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#send();
    });
    return this.#next;
  }

  #send(): Promise<NodeState | undefined> {
    const { pool } = this.#node;
    this.#running = pool
      .execute<NodeState>({
        ...operationContext("read"),
        kind: "query",
        statement: { text: "" },
        consistency: "eventual",
        deadline: this.#clock.now() + ASK_MS,
        run: (connection) => pool.dialect.probe(connection),
      })
      .then(
        (state) => {
          this.#node.observed = state;
          return state;
        },
        () => undefined,
      )
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }
}

/** Whether a node's state includes a point. A newer history may have lost it, an older one cannot have it. */
export function includes(state: NodeState | undefined, point: HistoryPoint): boolean {
  return state?.timeline === point.timeline && state.position !== undefined && state.position >= point.position;
}

/** Whether a point is of an older history than a primary's. */
export function isBefore(point: HistoryPoint | undefined, primary: RouterNode): boolean {
  return point !== undefined && point.timeline < (primary.observed?.timeline ?? 0);
}

/** Whether a point is of a newer history than a primary's that is known. */
export function isAfter(point: HistoryPoint | undefined, primary: RouterNode): boolean {
  return point !== undefined && point.timeline > (primary.observed?.timeline ?? point.timeline);
}

/** Whether any node will do for a call, as far as its session goes. */
export function isFree({ access, consistency }: Operation<unknown>, causality: Causality): boolean {
  if (access === "write" || consistency !== "session") return true;
  return causality.point === undefined && !causality.unplaced && causality.lastRead === undefined;
}

/** What a router does for reads that must include what was written and seen before. */
export class Freshness {
  readonly #clock: Clock;
  readonly #limits: RouterLimits;
  readonly #questions = new Map<RouterNode, PositionQuestion>();
  readonly #waits = new Map<RouterNode, PositionWait>();

  constructor(clock: Clock, limits: RouterLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * Learns a position that includes everything acknowledged and seen so far, by asking the primary. False when it does
   * not say, or not in the call's time: then only the primary itself is known to be fresh enough.
   */
  async place(
    causality: Causality,
    primary: RouterNode,
    { deadline, signal }: { readonly deadline: number; readonly signal: AbortSignal | undefined },
    { name: pool, events }: { readonly name: string; readonly events: Events },
  ): Promise<boolean> {
    const { mark, point } = causality;
    const limits = { clock: this.#clock, limit: deadline, signal, onLimit: () => new OutOfTime() };
    const state = await bounded(this.#ask(primary), limits).catch(undefinedWhenLate);
    if (state?.role !== "primary" || state.timeline === undefined || state.position === undefined) return false;
    causality.place(mark, { timeline: state.timeline, position: state.position });
    if (point !== undefined && point.timeline < state.timeline) {
      events.emit("router:history-changed", { pool, from: point.timeline, to: state.timeline });
    }
    return true;
  }

  /** Notes for the session which node served its read; after a write, waits for the position of what has none yet. */
  async served(
    { access, deadline }: Operation<unknown>,
    causality: Causality,
    { node, primary }: { readonly node: RouterNode; readonly primary: RouterNode | undefined },
    teller: { readonly name: string; readonly events: Events },
  ): Promise<void> {
    if (access === "read") causality.lastRead = node.life;
    // A session's token must be whole when the caller has its answer: it may be sent to another process at once.
    else if (causality.unplaced && primary !== undefined) {
      // Done is done: neither its limit nor its signal makes a failure of it any more.
      await this.place(causality, primary, { deadline, signal: undefined }, teller);
    }
  }

  /** Waits a little for a primary of a session's history, or of a newer one; whether there is one. */
  async newer(
    primary: () => RouterNode | undefined,
    { point }: Causality,
    { deadline, signal }: Operation<unknown>,
  ): Promise<boolean> {
    const until = Math.min(deadline, this.#clock.now() + this.#limits.freshnessWaitMs);
    for (;;) {
      const node = primary();
      if (node !== undefined && !isAfter(point, node)) return true;
      if (this.#clock.now() >= until) return false;
      await sleep(this.#clock, PAUSE_MS, signal);
    }
  }

  /** The first of some nodes, in their order, that includes a point; waits for one a little. */
  async choose(
    operation: Operation<unknown>,
    point: HistoryPoint,
    nodes: readonly RouterNode[],
  ): Promise<RouterNode | undefined> {
    const known = nodes.find((node) => includes(node.observed, point));
    if (known !== undefined) return known;
    const until = Math.min(operation.deadline, this.#clock.now() + this.#limits.freshnessWaitMs);
    const asked = nodes.slice(0, MAX_ASKED);
    for (;;) {
      const found = await this.#first(asked, point, until, operation.signal);
      if (found !== undefined || asked.length === 0 || this.#clock.now() >= until) return found;
      await sleep(this.#clock, PAUSE_MS, operation.signal);
    }
  }

  /** Asks some nodes at once: the first that includes a point; undefined when none does, or none has said so in time. */
  #first(
    nodes: readonly RouterNode[],
    point: HistoryPoint,
    until: number,
    signal: AbortSignal | undefined,
  ): Promise<RouterNode | undefined> {
    const found = new Promise<RouterNode | undefined>((resolve) => {
      const asked = nodes.map(async (node) => {
        if (includes(await this.#reach(node, point, until), point)) resolve(node);
      });
      void Promise.all(asked).then(() => resolve(undefined));
    });
    const limits = { clock: this.#clock, limit: until, signal, onLimit: () => new OutOfTime() };
    return bounded(found, limits).catch(undefinedWhenLate);
  }

  #reach(node: RouterNode, { position }: HistoryPoint, until: number): Promise<NodeState | undefined> {
    if (!canWait(node)) return this.#ask(node);
    let wait = this.#waits.get(node);
    if (wait === undefined) {
      wait = new PositionWait(node, this.#clock);
      this.#waits.set(node, wait);
    }
    return wait.reach(position, until);
  }

  #ask(node: RouterNode): Promise<NodeState | undefined> {
    let question = this.#questions.get(node);
    if (question === undefined) {
      question = new PositionQuestion(node, this.#clock);
      this.#questions.set(node, question);
    }
    return question.ask();
  }
}
