/**
 * What happens to a call on its way, as attributes and events of its span.
 */
import { type CallTrace, SENT, type TraceNote, type WaitReason } from "@breakwater/core";
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
  // Where it was sent last.
  #sent: TraceNote["details"] | undefined;
  // When it was sent first, while there is no event of it: of nearly every call that is all there is to tell, and an event
  // costs an SDK several times what two attributes do.
  #sentAtMs: number | undefined;

  constructor(span: Span, outer: CallTrace | undefined) {
    this.#outer = outer;
    this.detailed = outer !== undefined && outer.detailed;
    this.#span = span;
  }

  note(layer: string, what: string, details: TraceNote["details"] = {}): void {
    this.#outer?.note(layer, what, details);
    if (layer === ROUTER && what === SENT) {
      const first = this.#sent === undefined;
      if (!first) this.#tellSent();
      this.#sent = details;
      if (first && this.#events === 0) {
        this.#sentAtMs = performance.now();
        return;
      }
    } else {
      if (layer === "retry" && typeof details["attempt"] === "number") this.#attempts = details["attempt"];
      this.#tellSent();
    }
    this.#event(layer, what, details);
  }

  wait(layer: string, reason: WaitReason): () => void {
    return this.#outer?.wait(layer, reason) ?? nothing;
  }

  through<T>(layer: string, pool: string, attempt: number, run: () => Promise<T>): Promise<T> {
    return this.#outer === undefined ? run() : this.#outer.through(layer, pool, attempt, run);
  }

  /** Says of the span what is known at the call's end. What is noted later, as by a go that lost, finds no span any more. */
  end(): void {
    const span = this.#span;
    this.#events = MAX_EVENTS;
    if (this.#attempts > 1) span.setAttribute(ATTRIBUTE.attempts, this.#attempts);
    if (this.#sent === undefined) return;
    const { node, reason } = this.#sent;
    if (typeof node === "string") span.setAttribute(ATTRIBUTE.node, node);
    if (typeof reason === "string") span.setAttribute(ATTRIBUTE.reason, reason);
  }

  /** More happens than that the call was sent to a node: now that is an event too, at its own time. */
  #tellSent(): void {
    if (this.#sentAtMs === undefined || this.#sent === undefined) return;
    this.#event(ROUTER, SENT, this.#sent, this.#sentAtMs);
    this.#sentAtMs = undefined;
  }

  #event(layer: string, what: string, details: TraceNote["details"], atMs?: number): void {
    if (this.#events >= MAX_EVENTS) return;
    this.#events += 1;
    this.#span.addEvent(`${layer}: ${what}`, attributesOf(details), atMs);
  }
}

/** Who says where a call is sent. */
const ROUTER = "router";

function nothing(): void {}

function attributesOf(details: TraceNote["details"]): Attributes {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(details)) {
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") continue;
    attributes[name === "node" ? ATTRIBUTE.node : `breakwater.${name}`] = value;
  }
  return attributes;
}
