/**
 * One node of a router: what was last observed of it. Roles are observed, not assumed.
 */
import type { NodeState, NodeStats, Pool } from "@breakwater/core";

export class RouterNode {
  readonly pool: Pool;
  role: NodeStats["role"];
  state: NodeStats["state"] = "unknown";
  /** What the node last said; undefined until it has answered once. */
  observed: NodeState | undefined;
  /** Probes that failed since the last answer. */
  failedProbes = 0;
  /** Another node has a newer history: what this one calls primary is a primary of the past. */
  fenced = false;

  constructor(pool: Pool, role: "primary" | "replica") {
    this.pool = pool;
    this.role = role;
  }

  /** How often it has been down: what was read before is no measure of what can be read after. */
  outages = 0;

  /** The node since its last outage. */
  get life(): string {
    return `${this.name}#${this.outages}`;
  }

  get name(): string {
    return this.pool.name;
  }

  /** Whether calls may be sent: it is not known to be down. */
  get open(): boolean {
    return this.state !== "down" && !this.fenced;
  }

  stats(): NodeStats {
    const role = this.fenced ? "unknown" : this.role;
    return Object.freeze({ name: this.name, role, state: this.state, pool: this.pool.stats() });
  }
}
