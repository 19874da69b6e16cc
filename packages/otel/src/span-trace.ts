/**
 * What happens to a call on its way, as events of its span.
 */
import type { CallTrace, TraceNote, WaitReason } from "@breakwater/core";
import type { Attributes, Span } from "@opentelemetry/api";
import { ATTRIBUTE } from "./attributes.ts";

/** Most events of one span; a call that goes on and on has no more to tell. */
const MAX_EVENTS = 64;

export class SpanTrace implements CallTrace {
  readonly detailed: boolean;
  // Whoever asked for a trace before has it all the same.
  readonly #outer: CallTrace | undefined;
  readonly #span: Span;
  #events = 0;
  #attempts = 1;

  constructor(span: Span, outer: CallTrace | undefined) {
    this.#outer = outer;
    this.detailed = outer?.detailed ?? false;
    this.#span = span;
  }

  get attempts(): number {
    return this.#attempts;
  }

  note(layer: string, what: string, details: TraceNote["details"] = {}): void {
    this.#outer?.note(layer, what, details);
    if (layer === "retry" && typeof details["attempt"] === "number") this.#attempts = details["attempt"];
    if (this.#events >= MAX_EVENTS) return;
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
