/** Where the nodes of a router come from. */
export { auroraSource, type AuroraSourceOptions } from "./aurora.ts";
export { dnsSource, type DnsResolver, type DnsSourceOptions } from "./dns.ts";
export { type FixedSource, fixedSource } from "./fixed.ts";
export { patroniSource, type PatroniSourceOptions } from "./patroni.ts";
export {
  type NodeDescription,
  polling,
  type PollingOptions,
  type SourceListener,
  type TopologySource,
} from "./source.ts";
