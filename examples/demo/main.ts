/**
 * Shows what Breakwater does: the same load, through the same faults, on a real cluster, once with plain `pg.Pool`s and
 * a retry loop and once with `breakwater()`. At the end every write is looked up in the database.
 *
 *     npx -y pnpm demo [--seed N] [--plain] [--json FILE]
 */
import { fits, liveShow } from "./live.ts";
import { readOptions, USAGE, type DemoOptions } from "./options.ts";
import { paint, wantsColours } from "./paint.ts";
import { writeReport } from "./report.ts";
import { run } from "./run.ts";
import { plainShow } from "./show.ts";
import { table } from "./table.ts";
import { keptPromise } from "./verdict.ts";

const wish = readOptions(process.argv.slice(2));
if ("help" in wish) {
  console.log(USAGE);
} else if ("complaint" in wish) {
  console.error(`${wish.complaint}\n\n${USAGE}`);
  process.exitCode = 2;
} else {
  process.exitCode = await demo(wish.run);
}

/** @returns the exit code. */
async function demo({ seed, plain, json }: DemoOptions): Promise<number> {
  const interruption = new AbortController();
  // Only the first: whoever is in a hurry ends the process by the second, and the cluster's keeper clears up.
  const interrupt = (): void => interruption.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  console.log(`Seed ${seed}. Starting a PostgreSQL primary and two replicas …`);
  try {
    const live = !plain && fits(process.stdout);
    const result = await run(seed, interruption.signal, (scene) =>
      live ? liveShow(scene, process.stdout) : plainShow(scene, (line) => console.log(line)),
    );
    console.log();
    for (const line of table(result.today, result.breakwater, paint(wantsColours(process.stdout)))) console.log(line);
    console.log(`The same again: pnpm demo --seed ${seed}`);
    if (json !== undefined) await writeReport(json, result);
    return keptPromise(result.breakwater) ? 0 : 1;
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    console.log("Interrupted; everything has been closed.");
    return 130;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}
