/** What a router tells. */
import type { RouterReason } from "./decision.ts";
import type { EjectionCause } from "./outliers.ts";

declare module "@breakwater/core" {
  interface EventMap {
    /** A node does not answer, or refuses connections; no call is sent there until it answers a probe. */
    "router:node-down": { readonly pool: string; readonly node: string; readonly error: unknown };
    /** A node that was down answers again. */
    "router:node-up": { readonly pool: string; readonly node: string };
    /** A node's role is another than was thought: a failover, or a wrong configuration. */
    "router:role-changed": { readonly pool: string; readonly node: string; readonly role: "primary" | "replica" };
    /** A node says that it is the primary, but of an older history than another node's. It gets no calls. */
    "router:node-fenced": { readonly pool: string; readonly node: string };
    /** A replica fails its calls or is far slower than the others, though it answers probes. It gets none for a while. */
    "router:node-ejected": {
      readonly pool: string;
      readonly node: string;
      readonly forMs: number;
      readonly cause: EjectionCause;
    };
    /** An ejected replica gets calls again. */
    "router:node-readmitted": { readonly pool: string; readonly node: string };
    /** A replica is further behind than `maxLag` allows, or not any more. */
    "router:node-lagging": {
      readonly pool: string;
      readonly node: string;
      readonly lagging: boolean;
      readonly lagMs: number;
      readonly lagBytes: number;
    };
    /** A node was added to the router. */
    "router:node-added": { readonly pool: string; readonly node: string };
    /** A node was taken out of the router. */
    "router:node-removed": { readonly pool: string; readonly node: string };
    /** A source of nodes could not be asked; the nodes that are known stay. */
    "router:source-failed": { readonly pool: string; readonly error: unknown };
    /**
     * A session's writes belong to an older history than the primary's. Its reads go on from what the new primary has;
     * with asynchronous replication, writes that had not reached it before the promotion are not there.
     */
    "router:history-changed": { readonly pool: string; readonly from: number; readonly to: number };
    /** A call is sent to a node; `reason` says why there. Told of every attempt, and only where somebody listens. */
    "router:sent": {
      readonly pool: string;
      readonly label: string | undefined;
      readonly node: string;
      readonly role: "primary" | "replica";
      readonly reason: RouterReason;
    };
    /** A call went on at another node after one had failed it or refused it. */
    "router:rerouted": {
      readonly pool: string;
      readonly label: string | undefined;
      readonly node: string;
      readonly reason: string;
    };
    /** A standby refused a statement that looked like a read; its text is taken for a write from now on. */
    "router:read-refused": {
      readonly pool: string;
      readonly label: string | undefined;
      readonly node: string;
      readonly reason: string;
    };
  }
}
