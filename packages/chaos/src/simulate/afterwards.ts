/** After the load: whether the stack answers again, whether every call was answered, and what is left behind. */
import type { PoolStats } from "@breakwater/core";
import { codeOf } from "./load.ts";
import type { Process } from "./process.ts";
import type { Run } from "./run.ts";

/** Processes whose recovery is looked at. */
const SAMPLE = 20;
/** Reads and writes that each of them makes. */
const READS = 24;
const WRITES = 4;
/** Calls that a replica has served before the faults, if it is to serve some after them. */
const SERVED = 5;
/** Calls that are enough to tell how often each one asked. */
const ENOUGH = 100;
/** How long what was closed may take to be gone, in milliseconds. */
const GONE_MS = 1_000;
/** What parts of a stack call that which must be 0 when nothing runs. */
const BUSY = /^(?:running|waiting|queued|active|inFlight|taken|pending|held)/;

/** Looks at all that can only be seen in the end. */
export async function afterwards(run: Run): Promise<void> {
  const { load, clock, plan } = run;
  amplification(run);
  const step = Math.ceil(run.processes.length / SAMPLE);
  for (const process of run.processes.filter((_, index) => index % step === 0)) await recover(run, process);
  const until = clock.now() + plan.workload.timeoutMs + plan.deadlineGraceMs;
  while (load.pending.size > 0 && clock.now() < until) await run.wait(50);
  if (plan.workload.call !== undefined && run.checks("settled")) {
    for (const [index, what] of load.pending) run.violate("unsettled", `call #${index} (${what}) was never answered`);
  }
  load.judge();
  await leftBehind(run);
}

async function recover(run: Run, process: Process): Promise<void> {
  const before = new Map(process.given);
  const { timeoutMs } = run.plan.workload;
  const failed: string[] = [];
  const attempt = async (what: string, call: () => Promise<unknown>): Promise<void> => {
    const outcome = call().then(
      () => "",
      (error: unknown) => codeOf(error),
    );
    const told = (await run.patiently(outcome)) ?? "never answered";
    if (told !== "") failed.push(`${what}: ${told}`);
  };
  for (let read = 0; read < READS; read += 1) {
    await attempt("read", () => process.database.query("get final", [], { timeoutMs, consistency: "eventual" }));
  }
  for (let write = 0; write < WRITES; write += 1) {
    await attempt("write", () => process.database.query("set final 1", [], { timeoutMs }));
  }
  await attempt("transaction", () => process.database.transaction((open) => open.query("set final 2"), { timeoutMs }));
  if (failed.length > 0 && run.checks("recovery")) {
    const [first] = failed;
    const share = `${failed.length} of ${READS + WRITES + 1} calls`;
    run.violate(
      "not-recovered",
      `the faults are over, and process ${process.index} still fails ${share}; the first, a ${first}`,
    );
  }
  const { cluster, beforeFaults } = run;
  if (!run.checks("left-out") || beforeFaults === undefined) return;
  for (const { name, role, state } of cluster.nodes) {
    const served = (beforeFaults[process.index]?.get(name) ?? 0) >= SERVED;
    const since = (process.given.get(name) ?? 0) - (before.get(name) ?? 0);
    if (role !== "replica" || state !== "up" || name === "n1" || !served || since > 0) continue;
    run.violate("left-out", `the replica ${name} is well again, and process ${process.index} sends it nothing`);
  }
}

function amplification(run: Run): void {
  const { attempts, offered } = run.series.totals;
  const ratio = attempts / Math.max(1, offered);
  // Of a few calls nothing can be said.
  if (!run.checks("amplification") || offered < ENOUGH || ratio <= run.plan.maxAmplification) return;
  const limit = run.plan.maxAmplification;
  run.violate("amplification", `each call became ${ratio.toFixed(1)} at the nodes, more than ${limit}`);
}

async function leftBehind(run: Run): Promise<void> {
  const quiet = run.load.pending.size === 0;
  const leaks = run.checks("leaks");
  for (const process of run.processes) {
    const who = `process ${process.index}`;
    if (leaks && quiet) {
      for (const what of busy(process.database.stats()))
        run.violate("permit-leak", `${who}: nothing runs, and ${what}`);
    }
    const closed = await run.patiently(process.database.close({ drainMs: GONE_MS }).then(() => true));
    if (closed !== true && leaks) run.violate("close-hangs", `${who}: close() does not end`);
  }
  await run.wait(GONE_MS);
  if (!leaks) return;
  for (const { index, clock, connections } of run.processes) {
    if (connections > 0)
      run.violate("connection-leak", `process ${index}: ${connections} connections are left after close()`);
    if (clock.pending > 0)
      run.violate("timer-leak", `process ${index}: ${clock.pending} timers are left after close()`);
  }
}

/** What a stack says to be running or waiting. */
function busy(stats: PoolStats): string[] {
  const own = [stats, ...stats.policies].flatMap((part) =>
    Object.entries(part)
      .filter(([name, value]) => BUSY.test(name) && typeof value === "number" && value > 0)
      .map(
        ([name, value]) => `${"policy" in part ? part.policy : "the pool"} ${stats.name} has ${name} ${String(value)}`,
      ),
  );
  return [...own, ...stats.nodes.flatMap(({ pool }) => busy(pool))];
}
