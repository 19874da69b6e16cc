/**
 * A list that somebody else keeps: a configuration file that is read anew, an operator's own service.
 */
import type { NodeDescription, SourceListener, TopologySource } from "./source.ts";

/** A source whose nodes are set by hand. */
export interface FixedSource extends TopologySource {
  /** Replaces the list. */
  set(nodes: readonly NodeDescription[]): void;
}

/** Makes a source of a list of `nodes`, which can be set anew. */
export function fixedSource(nodes: readonly NodeDescription[]): FixedSource {
  let current = nodes;
  let told: SourceListener | undefined;
  return {
    start(listener) {
      told = listener;
      listener.nodes(current);
      return () => {
        told = undefined;
      };
    },
    set(next) {
      current = next;
      told?.nodes(next);
    },
  };
}
