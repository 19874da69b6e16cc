/**
 * What happens to a call on its way, as events of its span.
 */
import { type CallTrace, SENT, type TraceNote, type WaitReason } from "@breakwater/core";
import type { Attributes, Span } from "@opentelemetry/api";
import { ATTRIBUTE } from "./attributes.ts";

/** Most events of one span; a call that goes on and on has no more to tell. */
const MAX_EVENTS = 64;

/** What is done with the node that a call is sent to. */
export type Decided = (node: string, role: string, reason: string) => void;

export class SpanTrace implements CallTrace {
  readonly detailed: boolean;
  // Whoever asked for a trace before has it all the same.
  readonly #outer: CallTrace | undefined;
  readonly #span: Span | undefined;
  readonly #decided: Decided | undefined;
  #events = 0;
  #attempts = 1;

  /** Without a span only decisions are heard. */
  constructor(span: Span | undefined, decided: Decided | undefined, outer: CallTrace | undefined) {
    this.#outer = outer;
    this.detailed = outer?.detailed ?? false;
    this.#span = span;
    this.#decided = decided;
  }

  get attempts(): number {
    return this.#attempts;
  }

  note(layer: string, what: string, details: TraceNote["details"] = {}): void {
    this.#outer?.note(layer, what, details);
    if (what === SENT) {
      const { node, role, reason } = details;
      this.#decided?.(String(node), String(role), String(reason));
    } else if (layer === "retry" && typeof details["attempt"] === "number") this.#attempts = details["attempt"];
    if (this.#span === undefined || this.#events >= MAX_EVENTS) return;
    this.#events += 1;
    this.#span.addEvent(`${layer}: ${what}`, attributesOf(details));
  }

  wait(layer: string, reason: WaitReason): () => void {
    return this.#outer?.wait(layer, reason) ?? nothing;
  }

  through<T>(layer: string, pool: string, attempt: number, run: () => Promise<T>): Promise<T> {
    return this.#outer === undefined ? run() : this.#outer.through(layer, pool, attempt, run);
  }
}

function nothing(): void {}

function attributesOf(details: TraceNote["details"]): Attributes {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(details)) {
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") continue;
    attributes[name === "node" ? ATTRIBUTE.node : `breakwater.${name}`] = value;
  }
  return attributes;
}
