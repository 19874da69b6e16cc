/** Servers in a script: what is done to one node of a cluster, and how it is undone. */
import { booleanOf, integerIn, lineOf, onlyKnown, oneOf, refusal } from "../check.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { ClusterNode, StopMode } from "../cluster/node.ts";
import { stateError } from "../errors.ts";
import { type ActiveFault, finished, type FaultHand } from "./active-fault.ts";
import { delayReplay, lag, pauseReplay } from "./replay.ts";
import { fillSlots, holdLock, longStatement } from "./sessions.ts";
import type { FillSlotsOptions, HoldLockOptions, LongStatementOptions } from "./sessions.ts";

/** No options. */
export type NoOptions = Readonly<Record<string, never>>;

/** Which process is ended: by its pid, or the first that a condition on `pg_stat_activity` finds. */
export type KillBackendOptions = { readonly pid: number } | { readonly where: string };

/**
 * Faults of one server. Each resolves when the server has been struck, and its `off()` when that is undone: what was down is
 * back, as a replica where another node has become the primary meanwhile.
 */
export interface ServerFaults {
  /** SIGKILL to all processes of the server; `off` starts it again. */
  kill(options?: NoOptions): Promise<ActiveFault>;
  /** Stops the server; `off` starts it again. @default mode "fast" */
  stop(options?: { readonly mode?: StopMode }): Promise<ActiveFault>;
  /** Stops all processes of the server by a signal: connections stay, nothing answers; `off` lets them go on. */
  hang(options?: NoOptions): Promise<ActiveFault>;
  /** SIGKILL to one backend, once: PostgreSQL ends all sessions and recovers. `off` waits until it answers. */
  killBackend(options: KillBackendOptions): Promise<ActiveFault>;
  /** Makes a replica a primary, once, beside the one that there is; it is not undone. */
  promote(options?: NoOptions): Promise<ActiveFault>;
  /** Lets a replica receive but not apply. */
  pauseReplay(options?: NoOptions): Promise<ActiveFault>;
  /**
   * Lets a replica apply each commit so many milliseconds late (`recovery_min_apply_delay`). One that is stopped when the fault
   * ends keeps the delay in its data.
   */
  delayReplay(options: { readonly ms: number }): Promise<ActiveFault>;
  /** Pauses a replica's replay and has the primary write until it is so many bytes behind. */
  lag(options: { readonly bytes: number }): Promise<ActiveFault>;
  /** Takes all connection slots that are not reserved for superusers; those who are connected stay. */
  fillSlots(options?: FillSlotsOptions): Promise<ActiveFault>;
  /** Holds a lock in a transaction of its own. */
  holdLock(options: HoldLockOptions): Promise<ActiveFault>;
  /** Runs statements that take long, each on a session of its own. */
  longStatement(options?: LongStatementOptions): Promise<ActiveFault>;
}

/** Begins a fault of servers; the fault counts from now, and is one once `start` has resolved. */
export type BeginServer = (name: string, start: () => Promise<FaultHand>) => Promise<ActiveFault>;

export function serverFaults(node: ClusterNode, cluster: Cluster | undefined, begin: BeginServer): ServerFaults {
  const back = (): Promise<void> => bringBack(node, cluster);
  const once = async (name: string, options: object, known: readonly string[], strike: () => Promise<void> | void) => {
    onlyKnown(name, options, known);
    await strike();
  };
  return {
    kill: (options = {}) =>
      begin("kill", async () => {
        await once("kill", options, [], () => node.kill());
        return { hits: 1, off: back };
      }),
    stop: (options = {}) =>
      begin("stop", async () => {
        const mode = oneOf("mode", options.mode ?? "fast", ["smart", "fast", "immediate"]);
        await once("stop", options, ["mode"], () => node.stop(mode));
        return { hits: 1, off: back };
      }),
    hang: (options = {}) =>
      begin("hang", async () => {
        await once("hang", options, [], () => node.hang());
        const resume = (): void => {
          if (node.state === "hung") node.resume();
        };
        return { hits: 1, off: resume };
      }),
    killBackend: (options) =>
      begin("killBackend", async () => {
        await once("killBackend", options, ["pid", "where"], async () => node.killBackend(await pidOf(node, options)));
        return { hits: 1, off: () => (node.state === "running" ? node.waitUntilReady() : undefined) };
      }),
    promote: (options = {}) =>
      begin("promote", async () => {
        await once("promote", options, [], () => node.promote());
        return finished(1);
      }),
    pauseReplay: (options = {}) =>
      begin("pauseReplay", async () => {
        onlyKnown("pauseReplay", options, []);
        return pauseReplay(node);
      }),
    delayReplay: (options) =>
      begin("delayReplay", async () => {
        onlyKnown("delayReplay", options, ["ms"]);
        return delayReplay(node, integerIn("ms", options.ms, 1, 3_600_000));
      }),
    lag: (options) =>
      begin("lag", async () => {
        onlyKnown("lag", options, ["bytes"]);
        const bytes = integerIn("bytes", options.bytes, 1, 1024 ** 3);
        if (cluster === undefined) throw stateError("lag: the script was not given a cluster");
        return lag(node, cluster.primary, bytes);
      }),
    fillSlots: (options = {}) =>
      begin("fillSlots", async () => {
        onlyKnown("fillSlots", options, ["leave", "reserved"]);
        const { leave = 0, reserved = false } = options;
        return fillSlots(node, integerIn("leave", leave, 0, 100_000), booleanOf("reserved", reserved));
      }),
    holdLock: (options) => begin("holdLock", async () => holdLock(node, options)),
    longStatement: (options = {}) =>
      begin("longStatement", async () => {
        onlyKnown("longStatement", options, ["statement", "count"]);
        const { statement = "SELECT pg_sleep(86400)", count = 1 } = options;
        return longStatement(node, lineOf("statement", statement), integerIn("count", count, 1, 1000));
      }),
  };
}

/** Has a node that is down come back: as it was, or as a replica where it is the primary no more. */
export async function bringBack(node: ClusterNode, cluster: Cluster | undefined): Promise<void> {
  if (node.state !== "stopped") return;
  if (cluster !== undefined && node.role === "primary" && cluster.primary !== node) await node.follow(cluster.primary);
  else await node.start();
}

async function pidOf(node: ClusterNode, options: KillBackendOptions): Promise<number> {
  if ("pid" in options) return integerIn("pid", options.pid, 1, Number.MAX_SAFE_INTEGER);
  const { where } = options;
  if (typeof where !== "string" || where === "") throw refusal("where", where, "a condition on pg_stat_activity");
  const [row] = await node.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND (${where}) ORDER BY backend_start LIMIT 1`,
  );
  if (row === undefined) throw stateError(`killBackend: no backend of ${node.name} is one where ${where}`);
  return row.pid;
}
