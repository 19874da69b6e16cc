/** What a run is made of while it runs: given to steps that are functions. */
import type { Cluster } from "../cluster/cluster.ts";
import type { ClusterNode } from "../cluster/node.ts";
import type { Faults } from "../faults/faults.ts";
import type { History } from "../history/history.ts";
import type { Subject } from "./subject.ts";

/** What a step that is a function can use. */
export interface RunContext {
  /** The servers that the run has started. */
  readonly cluster: Cluster;
  /** Where faults are begun; those that are on end with the run. */
  readonly faults: Faults;
  /** What the subject was asked and what it said. */
  readonly history: History;
  /** What the load is put on. */
  readonly subject: Subject;
  /** Dice of this step, from 0 up to 1: the same for the same seed. */
  readonly random: () => number;
  /** Aborted when the run is given up. */
  readonly signal: AbortSignal;
  /** The nodes that a scenario calls so, such as `old-primary` or `replica`. */
  readonly nodes: (target: string) => readonly ClusterNode[];
  /** Lets the service's name stand for these nodes from now on. */
  readonly names: (targets: readonly string[]) => void;
}
