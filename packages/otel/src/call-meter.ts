/**
 * Metrics of one stack.
 */
import type { Clock, EventMap, Next, Operation, Pool } from "@breakwater/core";
import type { Attributes, Histogram, Meter, ObservableResult } from "@opentelemetry/api";
import { ATTRIBUTE, DURATION_BUCKETS } from "./attributes.ts";
import { BoundedNames } from "./bounded-names.ts";
import { errorTypeOf } from "./error-type.ts";
import { timeConnections } from "./connection-times.ts";
import { countEvents } from "./event-counts.ts";
import { watchStats } from "./gauges.ts";
import type { CallKind } from "./kinds-of-calls.ts";

/** Most kinds of errors, and most nodes, that are told apart. */
const MAX_ERRORS = 64;
const MAX_NODES = 200;

/** What the router tells of a call that it sends to a node. */
interface Decided {
  readonly node: string;
  readonly role: string;
  readonly reason: string;
}

interface Decision {
  readonly attributes: Attributes;
  count: number;
}

const ATTRIBUTES = [ATTRIBUTE.node, ATTRIBUTE.role, ATTRIBUTE.reason] as const;

/** Of which calls the wait for their connection, and the use of it, are measured. */
export type ConnectionTimes = "all" | "sampled" | "none";

export class CallMeter {
  readonly #clock: Clock;
  readonly #duration: Histogram;
  readonly #errors = new BoundedNames(MAX_ERRORS);
  readonly #nodes = new BoundedNames(MAX_NODES);
  // Counted here and told at each collection: an SDK would need longer than the router.
  readonly #counted: Decision[] = [];
  // The latest ones, by node and reason.
  readonly #decisions = new Map<string, Map<string, Decision>>();
  readonly #undo: readonly (() => void)[];

  constructor(meter: Meter, pool: Pool, options: { readonly clock: Clock; readonly connectionTimes: ConnectionTimes }) {
    const { clock, connectionTimes } = options;
    this.#clock = clock;
    this.#duration = meter.createHistogram("db.client.operation.duration", {
      description: "Duration of database client operations.",
      unit: "s",
      advice: { explicitBucketBoundaries: [...DURATION_BUCKETS] },
    });
    const decisions = meter.createObservableCounter("breakwater.router.decisions", {
      description: "Nodes that calls were sent to, by node and reason.",
      unit: "{decision}",
    });
    const tell = (result: ObservableResult): void => {
      for (const { attributes, count } of this.#counted) result.observe(count, attributes);
    };
    decisions.addCallback(tell);
    this.#undo = [
      () => decisions.removeCallback(tell),
      pool.events.on("router:sent" as keyof EventMap, (event: object) => this.#decided(event as Decided)),
      countEvents(pool.events, meter),
      watchStats(pool, meter),
      ...(connectionTimes === "none" ? [] : [timeConnections(pool.events, meter, clock, connectionTimes === "all")]),
    ];
  }

  /** Runs a call and measures it. A borrowed connection is the caller's for as long as it likes: its time says nothing. */
  measure<T>(operation: Operation<T>, { measured }: CallKind, next: Next): Promise<T> {
    if (operation.kind === "session") return next(operation);
    const startedMs = this.#clock.now();
    return next(operation).then(
      (value) => {
        this.#duration.record((this.#clock.now() - startedMs) / 1_000, measured);
        return value;
      },
      (error: unknown) => {
        const { type, status } = errorTypeOf(error, this.#errors);
        this.#duration.record((this.#clock.now() - startedMs) / 1_000, {
          ...measured,
          [ATTRIBUTE.error]: type,
          ...(status !== undefined && { [ATTRIBUTE.status]: status }),
        });
        throw error;
      },
    );
  }

  #decided({ node, role, reason }: Decided): void {
    const ofNode = this.#decisions.get(node);
    let decision = ofNode?.get(reason);
    if (decision?.attributes[ATTRIBUTE.role] === role) decision.count += 1;
    else {
      // Rarely, so that nearly every call costs two looks into a map.
      const name = this.#nodes.of(node, "other");
      if (name !== node && node !== "other") {
        this.#decided({ node: name, role, reason });
        return;
      }
      decision = this.#inRole(name, role, reason);
      decision.count += 1;
      if (ofNode === undefined) this.#decisions.set(node, new Map([[reason, decision]]));
      else ofNode.set(reason, decision);
    }
  }

  /** The count of a node in a role; it may have had it before. */
  #inRole(node: string, role: string, reason: string): Decision {
    const attributes = { [ATTRIBUTE.node]: node, [ATTRIBUTE.role]: role, [ATTRIBUTE.reason]: reason };
    const found = this.#counted.find((each) => ATTRIBUTES.every((name) => each.attributes[name] === attributes[name]));
    if (found !== undefined) return found;
    const decision = { attributes, count: 0 };
    this.#counted.push(decision);
    return decision;
  }

  stop(): void {
    for (const each of this.#undo) each();
  }
}
