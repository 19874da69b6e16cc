/** OpenTelemetry for Breakwater stacks. */
export { type ConnectionTimes } from "./call-meter.ts";
export { telemetry, type TelemetryOptions } from "./telemetry.ts";
