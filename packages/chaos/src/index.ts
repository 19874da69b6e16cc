/** Real PostgreSQL clusters on your own machine, and faults for them. */
export { type Cluster, type FailoverOptions, startCluster, type SwitchoverOptions } from "./cluster/cluster.ts";
export type { ClusterNode, NodeRole, NodeState, StopMode } from "./cluster/node.ts";
export type { ClusterOptions } from "./cluster/options.ts";
export { ChaosError, type ChaosErrorCode } from "./errors.ts";
export type { CutMode } from "./proxy/link.ts";
export type { Direction } from "./proxy/pump.ts";
export { type DropReplyOptions, type Fault, type FaultOptions, type InjectOptions } from "./proxy/fault.ts";
export { type FaultProxy, type ProxyOptions, type RefuseMode, startProxy } from "./proxy/proxy.ts";
