/**
 * Where the nodes of a router come from. A source tells which nodes there are; what they are, the router observes.
 */
import { type Clock, systemClock, type Timer } from "@breakwater/core";

/** A node as a source knows it. */
export interface NodeDescription {
  /** One node keeps one name; a node of another name is another node. */
  readonly name: string;
  /** Name or address of its server. */
  readonly host: string;
  /** Port of its server. */
  readonly port: number;
  /** What the source thinks the node is; only until it has answered a probe. @default replica */
  readonly role?: "primary" | "replica";
  /** @default 1 */
  readonly weight?: number;
  /** The zone that it is in, for a router that prefers its own. @default none */
  readonly zone?: string;
}

/** Who hears of a source's nodes. */
export interface SourceListener {
  /** All nodes that there are now. */
  nodes(nodes: readonly NodeDescription[]): void;
  /** The source could not be asked; it will try again. */
  failed(error: unknown): void;
}

/** Tells which nodes there are. */
export interface TopologySource {
  /** Begins to tell; the returned function ends it, with every timer. Called once. */
  start(listener: SourceListener): () => void;
}

/** What sources that ask again and again have in common. */
export interface PollingOptions {
  /** Pause between two questions, in milliseconds, above 0. */
  readonly refreshMs?: number;
  /** @default systemClock */
  readonly clock?: Clock;
}

/**
 * A source that asks `list`, tells of its nodes when they are others than before, and asks again `refreshMs` milliseconds
 * after each answer. An empty list is no news.
 */
export function polling(
  list: () => Promise<readonly NodeDescription[]>,
  refreshMs: number,
  clock: Clock = systemClock,
): TopologySource {
  return {
    start(listener) {
      let timer: Timer | undefined;
      let ended = false;
      let told = "";
      const ask = async (): Promise<void> => {
        try {
          const nodes = await list();
          const now = JSON.stringify(nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
          // No nodes at all is no news but a source in trouble: a resolver that forgot, a cluster without a leader.
          if (!ended && nodes.length > 0 && now !== told) {
            told = now;
            listener.nodes(nodes);
          }
        } catch (error) {
          if (!ended) listener.failed(error);
        }
        if (!ended) timer = clock.setTimer(refreshMs, () => void ask(), true);
      };
      void ask();
      return () => {
        ended = true;
        timer?.cancel();
      };
    },
  };
}
