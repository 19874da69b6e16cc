/**
 * The face of the recommended stack: a `Database` that can also be asked for its nodes.
 */
import { type CloseOptions, Database, type DatabaseOptions, type NodeStats, type Pool } from "@breakwater/core";
import { type NodeOptions, topologyOf } from "@breakwater/policies";

/** The nodes of a running stack. */
export interface BreakwaterTopology<Node> {
  /** How the nodes stand. */
  readonly nodes: readonly NodeStats[];
  /**
   * Adds a node, made as those of the start were. What it is is observed; until then it counts as a replica.
   * @throws OptionError when it is none, or its name is taken.
   */
  add(node: Node): void;
  /**
   * Takes a node out: no new calls at once, its pool is closed when those that run have ended, at most `drainMs` later.
   * @throws OptionError when there is no node of that name, or no other.
   */
  remove(name: string, options?: CloseOptions): Promise<void>;
  /** Sends no new calls to a node; resolves when none runs there any more. @throws OptionError for an unknown name. */
  drain(name: string): Promise<void>;
  /** Ends `drain`. @throws OptionError for an unknown name. */
  resume(name: string): void;
}

/** What a face needs that is made of another one. */
type Beside = ConstructorParameters<typeof Database>[2];

/**
 * A `Database` whose nodes can come and go, and so can those of every face that `with` and `session` make of it. `Node` is
 * what the stack takes for a node.
 */
export class BreakwaterDatabase<Node> extends Database {
  /** The nodes, and what adds and removes them. */
  readonly topology: BreakwaterTopology<Node>;

  constructor(
    pool: Pool,
    options: DatabaseOptions,
    nodes: ((node: Node) => Pool | NodeOptions) | BreakwaterTopology<Node>,
    beside?: Beside,
  ) {
    super(pool, options, beside);
    this.topology = typeof nodes === "function" ? topologyBy(pool, nodes) : nodes;
  }

  protected override face(pool: Pool, options: DatabaseOptions, beside: Beside): Database {
    return new BreakwaterDatabase(pool, options, this.topology, beside);
  }
}

function topologyBy<Node>(pool: Pool, make: (node: Node) => Pool | NodeOptions): BreakwaterTopology<Node> {
  const router = topologyOf(pool);
  return {
    get nodes() {
      return router.nodes;
    },
    add: (node) => router.add(make(node)),
    remove: (name, closing) => router.remove(name, closing),
    drain: (name) => router.drain(name),
    resume: (name) => router.resume(name),
  };
}
