/** OpenTelemetry for Breakwater stacks. */
export { type ConnectionTimes } from "./call-meter.ts";
export { type CallSpans } from "./call-tracer.ts";
export { telemetry, type TelemetryOptions } from "./telemetry.ts";
