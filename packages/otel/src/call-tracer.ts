/**
 * Spans of calls.
 */
import type { Next, Operation } from "@breakwater/core";
import { context, SpanKind, SpanStatusCode, trace, type Span, type Tracer } from "@opentelemetry/api";
import { ATTRIBUTE } from "./attributes.ts";
import { BoundedNames, RecentTexts } from "./bounded-names.ts";
import { errorTypeOf } from "./error-type.ts";
import type { CallKind } from "./kinds-of-calls.ts";
import { SpanTrace } from "./span-trace.ts";
import { sanitized } from "./summary.ts";

const MAX_ERRORS = 1_000;
const MAX_TEXTS = 500;

export class CallTracer {
  readonly #tracer: Tracer;
  readonly #ansiQuotes: boolean;
  readonly #texts: RecentTexts<{ readonly text: string | undefined }> | undefined;
  readonly #errors = new BoundedNames(MAX_ERRORS);

  constructor(tracer: Tracer, ansiQuotes: boolean, queryText: boolean) {
    this.#tracer = tracer;
    this.#ansiQuotes = ansiQuotes;
    this.#texts = queryText ? new RecentTexts(MAX_TEXTS) : undefined;
  }

  /** Runs a call in a span of its own, which is the parent of what drivers tell of it. */
  trace<T>(operation: Operation<T>, { name, attributes }: CallKind, next: Next): Promise<T> {
    const span = this.#tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes });
    const inner = trace.setSpan(context.active(), span);
    if (!span.isRecording()) return context.with(inner, () => next(operation));
    this.#describe(span, operation);
    const events = new SpanTrace(span, operation.trace);
    return context
      .with(inner, () => going(() => next({ ...operation, trace: events })))
      .then(
        (value) => {
          this.#end(span, events);
          return value;
        },
        (error: unknown) => {
          const { type, status } = errorTypeOf(error, this.#errors);
          span.setStatus({ code: SpanStatusCode.ERROR });
          span.setAttribute(ATTRIBUTE.error, type);
          if (status !== undefined) span.setAttribute(ATTRIBUTE.status, status);
          this.#end(span, events);
          throw error;
        },
      );
  }

  #describe(span: Span, operation: Operation<unknown>): void {
    const { kind, access } = operation;
    span.setAttribute("breakwater.call.access", access);
    const text = kind === "transaction" ? undefined : operation.statement?.text;
    if (text === undefined || this.#texts === undefined) return;
    const shown = this.#texts.get(text, (sql) => ({ text: sanitized(sql, this.#ansiQuotes) })).text;
    if (shown !== undefined) span.setAttribute(ATTRIBUTE.text, shown);
  }

  #end(span: Span, { attempts }: SpanTrace): void {
    if (attempts > 1) span.setAttribute(ATTRIBUTE.attempts, attempts);
    span.end();
  }
}

/** What a function begins; one that throws instead is taken for one that fails. */
function going<T>(begin: () => Promise<T>): Promise<T> {
  try {
    return begin();
  } catch (error) {
    return Promise.reject(error);
  }
}
