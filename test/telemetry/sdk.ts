/**
 * A real SDK of OpenTelemetry whose spans and metrics stay in memory.
 */
import type { Attributes } from "@opentelemetry/api";
import { type MetricData, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

class Pull extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

/** One series of a metric: a number, or of a histogram how many values it has. */
export interface Series {
  readonly attributes: Attributes;
  readonly value: number;
}

export class MemorySdk {
  readonly #reader = new Pull();
  readonly #spans = new InMemorySpanExporter();
  readonly meterProvider: MeterProvider = new MeterProvider({ readers: [this.#reader] });
  readonly tracerProvider: TracerProvider = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter: this.#spans })],
  });

  get spans(): readonly ReadableSpan[] {
    return this.#spans.getFinishedSpans();
  }

  async metrics(): Promise<ReadonlyMap<string, MetricData>> {
    const { resourceMetrics, errors } = await this.#reader.collect();
    if (errors.length > 0) throw errors[0];
    const all = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
    return new Map(all.map((metric) => [metric.descriptor.name, metric]));
  }

  /** The series of one metric; none when there is no such metric. */
  async series(name: string): Promise<readonly Series[]> {
    const points = (await this.metrics()).get(name)?.dataPoints ?? [];
    return points.map(({ attributes, value }) => ({
      attributes,
      value: typeof value === "number" ? value : value.count,
    }));
  }

  /** Their sum, over those that have all of some attributes. */
  async sum(name: string, of: Attributes = {}): Promise<number> {
    const fitting = (await this.series(name)).filter(({ attributes }) =>
      Object.entries(of).every(([key, value]) => attributes[key] === value),
    );
    return fitting.reduce((sum, { value }) => sum + value, 0);
  }

  async shutdown(): Promise<void> {
    await this.meterProvider.shutdown();
    await this.tracerProvider.shutdown();
  }
}
