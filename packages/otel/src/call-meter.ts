/**
 * Metrics of one stack.
 */
import type { Clock, Next, Operation, Pool } from "@breakwater/core";
import type { Attributes, Counter, Histogram, Meter } from "@opentelemetry/api";
import { ATTRIBUTE, DURATION_BUCKETS } from "./attributes.ts";
import { BoundedNames } from "./bounded-names.ts";
import { errorTypeOf } from "./error-type.ts";
import { countEvents, timeConnections } from "./event-counts.ts";
import { watchStats } from "./gauges.ts";
import type { CallKind } from "./kinds-of-calls.ts";
import { type Decided, SpanTrace } from "./span-trace.ts";

/** Most kinds of errors, and most nodes, that are told apart. */
const MAX_ERRORS = 64;
const MAX_NODES = 200;

export class CallMeter {
  readonly #clock: Clock;
  readonly #duration: Histogram;
  readonly #decisions: Counter;
  readonly #errors = new BoundedNames(MAX_ERRORS);
  readonly #nodes = new BoundedNames(MAX_NODES);
  readonly #decided = new Map<string, Attributes>();
  readonly #routed: boolean;
  readonly #undo: readonly (() => void)[];

  constructor(meter: Meter, pool: Pool, options: { readonly clock: Clock; readonly connectionTimes: boolean }) {
    this.#clock = options.clock;
    this.#routed = pool.layers.some(({ name }) => name === "router");
    this.#duration = meter.createHistogram("db.client.operation.duration", {
      description: "Duration of database client operations.",
      unit: "s",
      advice: { explicitBucketBoundaries: [...DURATION_BUCKETS] },
    });
    this.#decisions = meter.createCounter("breakwater.router.decisions", {
      description: "Nodes that calls were sent to, by node and reason.",
      unit: "{decision}",
    });
    this.#undo = [
      countEvents(pool.events, meter),
      watchStats(pool, meter),
      ...(options.connectionTimes ? [timeConnections(pool.events, meter, DURATION_BUCKETS)] : []),
    ];
  }

  /** Runs a call and measures it. A borrowed connection is the caller's for as long as it likes: its time says nothing. */
  measure<T>(operation: Operation<T>, { attributes }: CallKind, next: Next): Promise<T> {
    const { trace } = operation;
    // A call with a span has a trace of ours already, which tells of the decisions.
    const sent =
      this.#routed && !(trace instanceof SpanTrace)
        ? { ...operation, trace: new SpanTrace(undefined, this.decided, trace) }
        : operation;
    if (operation.kind === "session") return next(sent);
    const startedMs = this.#clock.now();
    return next(sent).then(
      (value) => {
        this.#duration.record((this.#clock.now() - startedMs) / 1_000, attributes);
        return value;
      },
      (error: unknown) => {
        const { type, status } = errorTypeOf(error, this.#errors);
        this.#duration.record((this.#clock.now() - startedMs) / 1_000, {
          ...attributes,
          [ATTRIBUTE.error]: type,
          ...(status !== undefined && { [ATTRIBUTE.status]: status }),
        });
        throw error;
      },
    );
  }

  /** Counts a node that a call was sent to. */
  readonly decided: Decided = (node, role, reason) => {
    const key = `${node}\n${role}\n${reason}`;
    let attributes = this.#decided.get(key);
    if (attributes === undefined) {
      const name = this.#nodes.of(node, "other");
      attributes = { [ATTRIBUTE.node]: name, [ATTRIBUTE.role]: role, [ATTRIBUTE.reason]: reason };
      if (name === node) this.#decided.set(key, attributes);
    }
    this.#decisions.add(1, attributes);
  };

  stop(): void {
    for (const each of this.#undo) each();
  }
}
