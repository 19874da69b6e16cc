/**
 * A stretch of the history with names of its own, so that it can be judged and forgotten while the run goes on: what is kept
 * in memory does not grow with the run.
 */
import { check } from "../history/check.ts";
import { History } from "../history/history.ts";
import { isOf } from "../history/operation.ts";
import type { Violation, ViolationKind } from "../history/violation.ts";
import { namesOf } from "./calls.ts";
import type { SimulatedCluster } from "./cluster.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** What a failover makes of a history when it may lose acknowledged commits. */
const LOSS: ReadonlySet<ViolationKind> = new Set<ViolationKind>([
  ...(["lost-write", "counter-bounds", "read-your-writes", "monotonic-reads", "lost-update", "read-skew"] as const),
  ...(["incompatible-order", "circular-information-flow", "write-skew", "long-fork", "internal"] as const),
]);

export class Window {
  readonly prefix: string;
  readonly history: History;
  /** Rows that were written, the newest last. */
  readonly rows: string[] = [];
  /** Calls that began in it, and those that have not been answered. */
  begun = 0;
  pending = 0;

  constructor(number: number, clock: VirtualClock) {
    this.prefix = `w${number}.`;
    this.history = new History({ now: () => clock.now(), maxOperations: 10_000_000 });
  }

  /** Judges what has happened in it, by what the primary holds now, and lets every node forget it. */
  judge(cluster: SimulatedCluster): readonly Violation[] {
    const { rows, registers, counters, lists } = cluster.primary.tables;
    const names = namesOf(this.prefix);
    const ids = this.history.operations
      .filter((operation) => isOf(operation, "write") && operation.action.register === undefined)
      .map(({ action }) => (action as { readonly id: string }).id);
    const pick = <T>(keys: readonly string[], value: (key: string) => T): Record<string, T> =>
      Object.fromEntries(keys.map((key) => [key, value(key)]));
    const { violations } = check(this.history, {
      finalState: {
        writes: pick(ids, (id) => rows.get(id) ?? 0),
        registers: pick(names.registers, (key) => (registers.get(key) as string | undefined) ?? null),
        counters: pick(names.counters, (key) => counters.get(key) ?? 0),
        lists: pick(names.lists, (key) => (lists.get(key) ?? []) as string[]),
      },
    });
    const forgotten = [...ids, ...names.registers, ...names.counters, ...names.lists];
    for (const node of cluster.nodes) node.tables.forget(forgotten);
    const excused = !cluster.synchronous && cluster.promotions > 0;
    return excused ? violations.filter(({ kind }) => !LOSS.has(kind)) : violations;
  }
}
