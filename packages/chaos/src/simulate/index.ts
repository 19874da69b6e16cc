/** The same policies on virtual time and simulated servers. Needs no database and nothing but core. */
export type { CallKind } from "./calls.ts";
export { SimulatedError, simulated } from "./dialect.ts";
export { describeFault, type Fault, FAULT_KINDS, type FaultKind } from "./faults.ts";
export type { SimulatedNodesOptions, SimulationCheck, SimulationOptions } from "./options.ts";
export type { SimulatedNodes, SimulatedProcess, StackFactory } from "./process.ts";
export { search, type SearchOptions, type SearchReport } from "./search.ts";
export type { SeriesPoint } from "./series.ts";
export { replay, simulate, type SimulationReport, type SimulationScript, type SimulationStats } from "./simulate.ts";
export type { SimulationViolation, SimulationViolationKind } from "./violation.ts";
export type { ProcessClock } from "./virtual-clock.ts";
export type { SimulatedCall, SimulationWorkload } from "./workload.ts";
