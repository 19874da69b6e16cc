/** OpenTelemetry for Breakwater stacks. */
export { telemetry, type TelemetryOptions } from "./telemetry.ts";
