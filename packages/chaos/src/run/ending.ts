/** What is looked at when the load has ended. */
import type { Cluster } from "../cluster/cluster.ts";
import type { FinalState } from "../history/operation.ts";
import { until } from "../wait.ts";
import { readFinalState } from "./sql.ts";
import type { Ask, Subject } from "./subject.ts";

/** How long a server may take to notice that a client has gone. */
const GONE_MS = 5_000;

/** What the newest primary holds. @throws ChaosError when it does not answer. */
export async function finalStateOf(cluster: Cluster, subject: Subject): Promise<FinalState> {
  await cluster.primary.waitUntilReady();
  const ask: Ask = (text, values) => cluster.primary.query(text, values);
  return subject.finalState?.(ask) ?? readFinalState(ask);
}

/** Connections of anybody but the kit, on all servers that run, once they have had the time to go. */
export async function connectionsLeft(cluster: Cluster): Promise<string[]> {
  const open = async (): Promise<string[]> => {
    const running = cluster.nodes.filter(({ state }) => state === "running");
    const rows = await Promise.all(
      running.map((node) =>
        node.query<{ what: string }>(
          `SELECT '${node.name}: ' || coalesce(nullif(application_name, ''), '(no name)') || ', '
              || coalesce(state, '') || ', ' || left(query, 60) AS what FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND application_name <> 'breakwater-chaos'`,
        ),
      ),
    );
    return rows.flat().map(({ what }) => what);
  };
  let left: string[] = [];
  await until(
    "connections to be closed",
    async () => {
      left = await open();
      return left.length === 0;
    },
    { limitMs: GONE_MS, everyMs: 50 },
  ).catch(() => {});
  return left;
}
