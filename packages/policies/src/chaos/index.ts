/** Injects faults into calls. */
export { type Chaos, chaos, type ChaosOptions } from "./chaos.ts";
export type { ChaosFault } from "./chaos-fault.ts";
export * from "./events.ts";
export type {
  ChaosFaultKind,
  ChaosFaultOptions,
  ChaosScope,
  ErrorFault,
  LatencyFault,
  LostReplyFault,
  RefusedFault,
} from "./options.ts";
