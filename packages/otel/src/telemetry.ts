/**
 * Spans and metrics of a stack for OpenTelemetry, after its conventions for databases.
 *
 * Stands outside all other policies, so that a span and a duration are a call's as its caller sees it, all attempts together.
 * Without an SDK it does nothing but hand calls on.
 */
import {
  type Clock,
  flag,
  knownOptions,
  type Next,
  oneOf,
  type Operation,
  OptionError,
  type Placement,
  type Policy,
  type PolicyPart,
  type Pool,
  positiveInteger,
  statefulPolicy,
  systemClock,
  text,
} from "@breakwater/core";
import { type MeterProvider, metrics, trace, type TracerProvider } from "@opentelemetry/api";
import { CallMeter, type ConnectionTimes } from "./call-meter.ts";
import { type CallSpans, CallTracer } from "./call-tracer.ts";
import { CallKinds } from "./kinds-of-calls.ts";
import { measures, traces } from "./listening.ts";

/** Options of `telemetry`. */
export interface TelemetryOptions {
  /** The name of the database, for `db.namespace`. @default left out */
  readonly namespace?: string;
  /** For `server.address`; of one server, or the name under which a cluster is known. @default left out */
  readonly serverAddress?: string;
  /** For `server.port`. @default left out */
  readonly serverPort?: number;
  /** Whether spans have the statement, its literals replaced by `?`. Parameters are never shown. @default false */
  readonly queryText?: boolean;
  /** Most kinds of statements that are told apart in metrics; others are known by their command alone. @default 200 */
  readonly maxSummaries?: number;
  /**
   * Of which calls the wait for their connection, and the use of it, are measured; `sampled` is all up to about 1000 a second,
   * and of more as many. @default "sampled"
   */
  readonly connectionTimes?: ConnectionTimes;
  /**
   * Which calls have a span: `all`, as far as the SDK's sampler wants them; `sampled`, which is every call within a trace that is
   * recorded, and of those outside any trace all up to about 1000 a second and all that fail; `traced`, the former alone; or
   * `none`.
   * @default "sampled"
   */
  readonly spans?: CallSpans;
  /** Where measurements go. @default the global one */
  readonly meterProvider?: MeterProvider;
  /** Where spans go. @default the global one */
  readonly tracerProvider?: TracerProvider;
  /** Source of the time for durations. @default systemClock */
  readonly clock?: Clock;
}

const PLACEMENT: Placement = {
  outside: {
    retry: "every attempt would be taken for a call",
    hedge: "both goes at a read would be taken for calls",
    router: "it is to hear of the stack as a whole, not of one node",
    telemetry: "everything would be counted twice",
  },
};

/** After so many calls in vain it is asked again whether somebody listens by now. */
const ASK_AGAIN = 1_024;

/**
 * Makes the policy that tells OpenTelemetry of calls. Register the SDK before the first call.
 * @throws OptionError when an option is unknown or out of range.
 */
export function telemetry(options: TelemetryOptions = {}): Policy {
  const checked = checkTelemetryOptions(options);
  return statefulPolicy("telemetry", (inner) => new Telemetry(checked, inner), PLACEMENT);
}

type CheckedOptions = Required<
  Pick<TelemetryOptions, "queryText" | "maxSummaries" | "connectionTimes" | "spans" | "clock">
> &
  TelemetryOptions;

class Telemetry implements PolicyPart {
  readonly #options: CheckedOptions;
  readonly #pool: Pool;
  readonly #kinds: CallKinds;
  #meter: CallMeter | undefined;
  #tracer: CallTracer | undefined;
  #unheard = 0;
  #closed = false;

  constructor(options: CheckedOptions, pool: Pool) {
    this.#options = options;
    this.#pool = pool;
    this.#kinds = new CallKinds({
      dialect: pool.dialect.name,
      namespace: options.namespace,
      address: options.serverAddress,
      port: options.serverPort,
      maxSummaries: options.maxSummaries,
    });
    this.#look();
  }

  execute<T>(operation: Operation<T>, next: Next): Promise<T> {
    if (this.#meter === undefined || this.#tracer === undefined) {
      this.#unheard += 1;
      if (this.#unheard === 1 || this.#unheard % ASK_AGAIN === 0) this.#look();
      if (this.#meter === undefined && this.#tracer === undefined) return next(operation);
    }
    if (operation.purpose === "probe") return next(operation);
    const kind = this.#kinds.of(operation);
    const meter = this.#meter;
    if (this.#tracer === undefined) return meter === undefined ? next(operation) : meter.measure(operation, kind, next);
    const measured: Next = meter === undefined ? next : (made) => meter.measure(made, kind, next);
    return this.#tracer.trace(operation, kind, measured);
  }

  close(): void {
    this.#closed = true;
    this.#meter?.stop();
  }

  /** Finds out who listens. */
  #look(): void {
    if (this.#closed) return;
    const { meterProvider = metrics.getMeterProvider(), tracerProvider = trace.getTracerProvider() } = this.#options;
    if (this.#meter === undefined && measures(meterProvider)) {
      this.#meter = new CallMeter(meterProvider.getMeter(SCOPE), this.#pool, this.#options);
    }
    if (this.#tracer === undefined && this.#options.spans !== "none" && traces(tracerProvider)) {
      const { ansiQuotes } = this.#kinds;
      this.#tracer = new CallTracer(tracerProvider.getTracer(SCOPE), { ...this.#options, ansiQuotes });
    }
  }
}

/** Under which name measurements and spans are found. */
const SCOPE = "@breakwater/otel";

const OPTIONS = [
  "namespace",
  "serverAddress",
  "serverPort",
  "queryText",
  "maxSummaries",
  "connectionTimes",
  "spans",
  "meterProvider",
  "tracerProvider",
  "clock",
] as const;

function checkTelemetryOptions(options: TelemetryOptions): CheckedOptions {
  const given = knownOptions("telemetry", options, OPTIONS);
  const { namespace, serverAddress, serverPort, meterProvider, tracerProvider, clock = systemClock } = given;
  if (namespace !== undefined) text("telemetry.namespace", namespace);
  if (serverAddress !== undefined) text("telemetry.serverAddress", serverAddress);
  if (serverPort !== undefined) positiveInteger("telemetry.serverPort", serverPort);
  if (meterProvider !== undefined && typeof meterProvider?.getMeter !== "function")
    throw new OptionError("telemetry.meterProvider", meterProvider, "a meter provider");
  if (tracerProvider !== undefined && typeof tracerProvider?.getTracer !== "function")
    throw new OptionError("telemetry.tracerProvider", tracerProvider, "a tracer provider");
  if (typeof clock?.setTimer !== "function") throw new OptionError("telemetry.clock", clock, "a clock");
  return {
    ...given,
    queryText: flag("telemetry.queryText", given.queryText ?? false),
    maxSummaries: positiveInteger("telemetry.maxSummaries", given.maxSummaries ?? 200),
    connectionTimes: oneOf("telemetry.connectionTimes", given.connectionTimes ?? "sampled", ["all", "sampled", "none"]),
    spans: oneOf("telemetry.spans", given.spans ?? "sampled", ["all", "sampled", "traced", "none"]),
    clock,
  };
}
