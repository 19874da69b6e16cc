import { explain } from "@breakwater/core";
import { telemetry } from "@breakwater/otel";
import { policyConformance } from "../conformance/policy.ts";
import { MemorySdk } from "./sdk.ts";

const { meterProvider, tracerProvider } = new MemorySdk();

policyConformance("telemetry, and nobody listens", (clock) => telemetry({ clock }));
policyConformance("telemetry with metrics", (clock) => telemetry({ clock, meterProvider }));
policyConformance("telemetry with metrics and spans", (clock) => telemetry({ clock, meterProvider, tracerProvider }));
policyConformance("explain", (clock) => explain({ clock, report: () => undefined }));
