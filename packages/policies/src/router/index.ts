/** Reads to the replicas, writes to the primary, through failovers. */
export type { Balancer, BalancerFactory, BalancerName, Candidate } from "./balancer.ts";
export type { CallMatch, RuleCall } from "../call-match.ts";
export type { Rule } from "./destination.ts";
export type { EjectionOptions } from "./ejection.ts";
export type { Lag, MaxLag } from "./lag.ts";
export { type RouterTopology, topologyOf } from "./membership.ts";
export type { NodeOptions } from "./node.ts";
export type { RouterOptions } from "./options.ts";
export { router } from "./router.ts";
export * from "./sources/index.ts";
