/** What steps await in place of sleeping. */
import type { Cluster } from "../cluster/cluster.ts";
import type { ClusterNode } from "../cluster/node.ts";
import type { ActiveFault } from "../faults/active-fault.ts";
import type { History } from "../history/history.ts";
import { msOf } from "../scenario/duration.ts";
import type { Condition } from "../scenario/model.ts";
import { ChaosError } from "../errors.ts";
import { until } from "../wait.ts";
import type { Lanes } from "./lanes.ts";
import { accessOf } from "./sql.ts";

const DEFAULT_LIMIT_MS = 10_000;

/** Where conditions look. */
export interface ConditionSight {
  readonly cluster: Cluster;
  readonly history: History;
  readonly breakers: Lanes;
  readonly signal: AbortSignal;
  /** Faults by the names that steps gave them. */
  readonly named: ReadonlyMap<string, readonly ActiveFault[]>;
  nodes(target: string): readonly ClusterNode[];
}

/** A condition that the subject did not come to: its fault, not the run's. */
export class UnmetError extends Error {
  override readonly name: string = "UnmetError";
}

type Probe = () => boolean | Promise<boolean>;

/** What is awaited, whether it is up to the subject, and how one looks. */
interface Awaited {
  readonly text: string;
  readonly isSubjects: boolean;
  readonly probe: Probe;
}

/**
 * Waits for a condition.
 *
 * @throws UnmetError when the subject did not come to it in time; ChaosError when the cluster did not.
 */
export async function awaitCondition(condition: Condition, sight: ConditionSight): Promise<void> {
  const given = typeof condition === "string" ? { is: condition } : condition;
  const limitMs = msOf(given.within) ?? DEFAULT_LIMIT_MS;
  const { text, isSubjects, probe } = awaited(given, sight);
  let aborted = false;
  const look = async (): Promise<boolean> => {
    aborted = sight.signal.aborted;
    return aborted || (await probe());
  };
  try {
    await until(text, look, { limitMs, everyMs: 15 });
  } catch (error) {
    if (given.optional === true && error instanceof ChaosError && error.code === "ERR_BREAKWATER_CHAOS_TIMEOUT") return;
    if (!isSubjects || !(error instanceof ChaosError)) throw error;
    const { ok, fail, unknown, pending } = sight.history.counts();
    const counts = `${ok} ok, ${fail} failed, ${unknown} unknown, ${pending} running`;
    throw new UnmetError(`${error.message} (calls: ${counts})`, { cause: error });
  }
  if (aborted) sight.signal.throwIfAborted();
}

function awaited(given: Exclude<Condition, string>, sight: ConditionSight): Awaited {
  const { history, cluster } = sight;
  if ("acknowledged" in given) return more(() => history.counts().ok, given.acknowledged, "acknowledged calls");
  if ("written" in given) return more(() => written(history), given.written, "acknowledged writes");
  if ("failed" in given) return more(() => history.counts().fail, given.failed, "failed calls");
  if ("fault" in given) {
    const { fault, hits = 1 } = given;
    const all = sight.named.get(fault) ?? [];
    const probe: Probe = () => all.reduce((sum, one) => sum + one.hits, 0) >= hits;
    return { text: `${hits} hits of the fault ${fault}`, isSubjects: true, probe };
  }
  if ("breaker" in given) {
    // A subject that tells of no breaker has none that could be awaited.
    const probe: Probe = () => {
      const states = [...sight.breakers.states().values()];
      const isSo = (state: string): boolean => state === given.breaker;
      return states.length === 0 || (given.breaker === "closed" ? states.every(isSo) : states.some(isSo));
    };
    return { text: `breakers to be ${given.breaker}`, isSubjects: true, probe };
  }
  if ("sql" in given) {
    const probe: Probe = async () => {
      const nodes = sight.nodes(given.on ?? "primary");
      const answers = await Promise.all(nodes.map((node) => node.query(given.sql)));
      return answers.every(([row]) => row !== undefined && Object.values(row)[0] === true);
    };
    return { text: `true as the answer to ${JSON.stringify(given.sql)}`, isSubjects: false, probe };
  }
  return plain(given.is, history, cluster);
}

function plain(is: string, history: History, cluster: Cluster): Awaited {
  switch (is) {
    case "primary-answers": {
      const probe: Probe = async () => {
        const { primary } = cluster;
        if (primary.state !== "running") return false;
        const [row] = await primary.query<{ replica: boolean }>("SELECT pg_is_in_recovery() AS replica", [], 2_000);
        return row?.replica === false;
      };
      return { text: "a primary that takes writes", isSubjects: false, probe };
    }
    case "replicas-streaming":
      return {
        text: "all replicas to stream",
        isSubjects: false,
        probe: () => cluster.waitForStreaming(2_000).then(() => true),
      };
    case "replicas-caught-up":
      return { text: "all replicas to have replayed everything", isSubjects: false, probe: () => caughtUp(cluster) };
    default: {
      const before = history.operations.filter(({ outcome }) => outcome === "pending");
      const probe: Probe = () => before.every(({ outcome }) => outcome !== "pending");
      return { text: `${before.length} running calls to be answered`, isSubjects: true, probe };
    }
  }
}

function more(counted: () => number, count: number, text: string): Awaited {
  const enough = counted() + count;
  return { text: `${count} more ${text}`, isSubjects: true, probe: () => counted() >= enough };
}

function written(history: History): number {
  return history.operations.filter(({ outcome, action }) => outcome === "ok" && accessOf[action.kind] !== "read")
    .length;
}

/** Whether every running replica shows what the primary has written so far. */
export async function caughtUp(cluster: Cluster): Promise<boolean> {
  const [row] = await cluster.primary.query<{ lsn: string }>("SELECT pg_current_wal_lsn()::text AS lsn");
  const running = cluster.replicas.filter(({ state }) => state === "running");
  const answers = await Promise.all(
    running.map((node) =>
      node.query<{ there: boolean }>("SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS there", [row?.lsn]),
    ),
  );
  return answers.every(([answer]) => answer?.there === true);
}
