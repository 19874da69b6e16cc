/** Real PostgreSQL clusters on your own machine, and faults for them. */
export { type Cluster, type FailoverOptions, startCluster, type SwitchoverOptions } from "./cluster/cluster.ts";
export type { ClusterNode, NodeRole, NodeState, StopMode } from "./cluster/node.ts";
export type { ClusterOptions } from "./cluster/options.ts";
export { ChaosError, type ChaosErrorCode } from "./errors.ts";
export { check, checkers, type CheckOptions, type HistoryReport, type Isolation } from "./history/check.ts";
export { bankSum, counterBounds } from "./history/checkers/counters.ts";
export { connectionLeaks, unsettledCalls } from "./history/checkers/connections.ts";
export { exactlyOnce } from "./history/checkers/exactly-once.ts";
export { registerReads } from "./history/checkers/registers.ts";
export { monotonicReads, readYourWrites } from "./history/checkers/sessions.ts";
export { classifyError, type Verdict } from "./history/classify.ts";
export { type Answer, History, type HistoryOptions, type RecordOptions } from "./history/history.ts";
export { fromJsonLines, type ImportedHistory, toJsonLines } from "./history/json-lines.ts";
export { listCycles } from "./history/lists/cycles.ts";
export { listReads } from "./history/lists/reads.ts";
export type {
  Action,
  ActionKind,
  Actions,
  FinalState,
  HistoryOperation,
  ListElement,
  ListStep,
  Opening,
  Outcome,
  Results,
} from "./history/operation.ts";
export type { HistorySession } from "./history/session.ts";
export type { Checker, Violation, ViolationKind } from "./history/violation.ts";
export type { CutMode } from "./proxy/link.ts";
export type { Direction } from "./proxy/pump.ts";
export { type DropReplyOptions, type Fault, type FaultOptions, type InjectOptions } from "./proxy/fault.ts";
export { type FaultProxy, type ProxyOptions, type RefuseMode, startProxy } from "./proxy/proxy.ts";
