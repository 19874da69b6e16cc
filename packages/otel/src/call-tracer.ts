/**
 * Spans of calls.
 */
import type { Clock, Next, Operation } from "@breakwater/core";
import {
  type Context,
  context,
  INVALID_TRACEID,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Span,
  type Tracer,
} from "@opentelemetry/api";
import { Allowance } from "./allowance.ts";
import { ATTRIBUTE } from "./attributes.ts";
import { BoundedNames, RecentTexts } from "./bounded-names.ts";
import { errorTypeOf } from "./error-type.ts";
import type { CallKind } from "./kinds-of-calls.ts";
import { SpanTrace } from "./span-trace.ts";
import { sanitized } from "./summary.ts";

const MAX_ERRORS = 1_000;
const MAX_TEXTS = 500;
/** Of calls that are part of no trace, with `sampled`. An SDK takes longer to make a span than a pool to send a statement. */
const SAMPLED = { most: 1_000, perSecond: 1_000 } as const;

/** Which calls have a span. */
export type CallSpans = "all" | "sampled" | "traced" | "none";

/** What the spans of a stack are like. */
export interface CallTracerOptions {
  readonly spans: CallSpans;
  readonly clock: Clock;
  /** Whether they have the statement. */
  readonly queryText: boolean;
  /** Whether double quotes are around names. */
  readonly ansiQuotes: boolean;
}

export class CallTracer {
  readonly #tracer: Tracer;
  readonly #ansiQuotes: boolean;
  readonly #texts: RecentTexts<{ readonly text: string | undefined }> | undefined;
  readonly #errors = new BoundedNames(MAX_ERRORS);
  readonly #spans: CallSpans;
  // For calls that are part of no trace.
  readonly #allowance: Allowance | undefined;

  constructor(tracer: Tracer, { spans, clock, queryText, ansiQuotes }: CallTracerOptions) {
    this.#tracer = tracer;
    this.#ansiQuotes = ansiQuotes;
    this.#texts = queryText ? new RecentTexts(MAX_TEXTS) : undefined;
    this.#spans = spans;
    this.#allowance = spans === "sampled" ? new Allowance(clock, SAMPLED) : undefined;
  }

  /** Runs a call in a span of its own, which is the parent of what drivers tell of it. */
  trace<T>(operation: Operation<T>, kind: CallKind, next: Next): Promise<T> {
    const outside = context.active();
    const parent = trace.getSpan(outside);
    const alone = parent === undefined || parent.spanContext().traceId === INVALID_TRACEID;
    if (!this.#wants(alone ? undefined : parent)) {
      return alone && this.#spans === "sampled" ? this.#unlessItFails(operation, kind, next, outside) : next(operation);
    }
    const span = this.#tracer.startSpan(kind.name, kind.begun, outside);
    const inside = trace.setSpan(outside, span);
    // The sampler does not want it: only who made it, and with what, is handed on.
    if (!span.isRecording()) return context.with(inside, going<T>, undefined, next, operation);
    if (alone) this.#allowance?.take();
    this.#describe(span, operation);
    const told = new SpanTrace(span, operation.trace);
    return context.with(inside, going<T>, undefined, next, { ...operation, trace: told }).then(
      (value) => {
        told.end();
        span.end();
        return value;
      },
      (error: unknown) => {
        told.end();
        this.#failed(span, error);
        throw error;
      },
    );
  }

  /** A call that has no span for being one of too many: if it fails, it has one after all, made when that is known. */
  #unlessItFails<T>(operation: Operation<T>, { name, begun }: CallKind, next: Next, outside: Context): Promise<T> {
    const startTime = performance.now();
    return going(next, operation).catch((error: unknown) => {
      const span = this.#tracer.startSpan(name, { ...begun, startTime }, outside);
      this.#describe(span, operation);
      this.#failed(span, error);
      throw error;
    });
  }

  #failed(span: Span, error: unknown): void {
    const { type, status } = errorTypeOf(error, this.#errors);
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttribute(ATTRIBUTE.error, type);
    if (status !== undefined) span.setAttribute(ATTRIBUTE.status, status);
    span.end();
  }

  /** Whether the sampler is to be asked of a call under a span, or under none. It is asked in vain of what is not recorded. */
  #wants(parent: Span | undefined): boolean {
    if (this.#spans === "all") return true;
    if (parent === undefined) return this.#allowance?.has() === true;
    return (parent.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0 || parent.isRecording();
  }

  #describe(span: Span, operation: Operation<unknown>): void {
    const { kind, access } = operation;
    span.setAttribute("breakwater.call.access", access);
    const text = kind === "transaction" ? undefined : operation.statement?.text;
    if (text === undefined || this.#texts === undefined) return;
    const shown = this.#texts.get(text, (sql) => ({ text: sanitized(sql, this.#ansiQuotes) })).text;
    if (shown !== undefined) span.setAttribute(ATTRIBUTE.text, shown);
  }
}

/** What the call begins; one that throws instead is taken for one that fails. */
function going<T>(next: Next, operation: Operation<T>): Promise<T> {
  try {
    return next(operation);
  } catch (error) {
    return Promise.reject(error);
  }
}
