/** Real PostgreSQL clusters on your own machine, and faults for them. */
export { type Cluster, type FailoverOptions, startCluster, type SwitchoverOptions } from "./cluster/cluster.ts";
export { existing, type ExistingOptions } from "./cluster/existing/existing.ts";
export type { ClusterNode, NodeRole, NodeState, StopMode } from "./cluster/node.ts";
export type { ClusterOptions } from "./cluster/options.ts";
export type { ProviderFactory } from "./cluster/provider.ts";
export { ChaosError, type ChaosErrorCode } from "./errors.ts";
export type { ActiveFault, FaultHand, FaultLevel, FaultRecord } from "./faults/active-fault.ts";
export { type FaultListener, Faults, type FaultsOptions, type PolicyFaults } from "./faults/faults.ts";
export type { KillBackendOptions, NoOptions, ServerFaults } from "./faults/server.ts";
export type { FillSlotsOptions, HoldLockOptions, LongStatementOptions } from "./faults/sessions.ts";
export type {
  BandwidthOptions,
  DirectionOption,
  LatencyOptions,
  SliceOptions,
  SlowCloseOptions,
  WireFaults,
} from "./faults/wire.ts";
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
export type { DisturbOptions, RefuseMode } from "./proxy/disturbance.ts";
export type { Fault, FaultOptions, OftenOptions } from "./proxy/fault.ts";
export type { FaultProxy } from "./proxy/fault-proxy.ts";
export { type ProxyOptions, startProxy } from "./proxy/proxy.ts";
export type {
  DelayMessageOptions,
  DropCommitReplyOptions,
  DropReplyOptions,
  InjectOptions,
  NoticeOptions,
} from "./proxy/strike.ts";
export { reportHtml, writeReport } from "./report/report.ts";
export type {
  CallAccess,
  ExpectationKind,
  Latencies,
  RunError,
  RunEvent,
  RunFault,
  RunLane,
  RunOperation,
  RunRecord,
  RunSample,
  RunSpan,
  RunStep,
  RunViolation,
} from "./run/record.ts";
export { barePool } from "./run/bare.ts";
export type { RunContext } from "./run/context.ts";
export { type JunitOptions, junitXml } from "./run/junit.ts";
export { type RunOptions, type RunProgress, runScenario, type StepProgress } from "./run/run.ts";
export { type SqlSubject, sqlSubject, type WorkloadStatement } from "./run/sql.ts";
export type {
  Ask,
  Subject,
  SubjectEvent,
  SubjectFactory,
  SubjectService,
  SubjectTarget,
  Transfer,
} from "./run/subject.ts";
export { ScenarioError, type ScenarioIssue, type ScenarioPath } from "./scenario/issue.ts";
export { readyScenario, readyScenarios } from "./scenario/library.ts";
export type * from "./scenario/model.ts";
export { scenario } from "./scenario/scenario.ts";
export { loadScenario, parseScenario } from "./scenario/yaml.ts";
