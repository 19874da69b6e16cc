/**
 * Whether anybody listens: without an SDK the API's own meters and tracers do nothing, and then nothing is done for them.
 */
import { createNoopMeter, type MeterProvider, type TracerProvider } from "@opentelemetry/api";

/** Whether what is measured goes anywhere. */
export function measures(provider: MeterProvider): boolean {
  return provider.getMeter("breakwater").constructor !== createNoopMeter().constructor;
}

/** Whether spans go anywhere. The API's proxy hands on to nobody until an SDK has been registered. */
export function traces(provider: TracerProvider): boolean {
  const proxy = provider as { getDelegateTracer?(name: string): unknown };
  return proxy.getDelegateTracer === undefined || proxy.getDelegateTracer("breakwater") !== undefined;
}
