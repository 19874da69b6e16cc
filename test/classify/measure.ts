/**
 * Measures the classifier against PostgreSQL's own parser over files of SQL.
 *
 * Usage: `node test/classify/measure.ts <file.sql> …`; understands what psql scripts hold besides SQL. Prints how many texts
 * the parser read, those that were wrongly called reads (there must be none), and the reads that were not recognized.
 */
import { readFileSync } from "node:fs";
import { inspectAnew } from "../../packages/postgres/src/classify/classify.ts";
import { judge, loadParser } from "./oracle.ts";
import { splitScript } from "./split-script.ts";

await loadParser();
const counts = {
  texts: 0,
  parsed: 0,
  reads: 0,
  kept: 0,
  userFunctions: 0,
  userKept: 0,
  write: 0,
  session: 0,
  sessionMissed: 0,
  unsafe: 0,
};
const reasons = new Map<string, number>();
const out: string[] = [];

for (const file of process.argv.slice(2)) {
  for (const sql of splitScript(readFileSync(file, "utf8"))) {
    counts.texts++;
    const judged = judge(sql);
    if (judged === undefined) continue;
    counts.parsed++;
    const found = inspectAnew(sql);
    if (judged.class !== "read") {
      counts[judged.class]++;
      if (found.class === "read" || found.classIfHarmless === "read") {
        counts.unsafe++;
        out.push(`UNSAFE ${judged.class} ${file}: ${sql}`);
      }
      if (judged.class === "session" && found.class !== "session") {
        counts.sessionMissed++;
        out.push(`SESSION MISSED ${found.reason}: ${sql}`);
      }
    } else if (judged.unknown.length > 0) {
      counts.userFunctions++;
      if (found.class === "read") {
        counts.unsafe++;
        out.push(`UNSAFE user function ${file}: ${sql}`);
      }
      if (found.classIfHarmless === "read") counts.userKept++;
      else out.push(`LOST (user function) ${found.reason}: ${sql}`);
    } else {
      counts.reads++;
      if (found.class === "read") counts.kept++;
      else {
        reasons.set(found.reason, (reasons.get(found.reason) ?? 0) + 1);
        out.push(`LOST ${found.reason}: ${sql}`);
      }
    }
  }
}

const lost = counts.reads - counts.kept;
process.stdout.write(`${out.join("\n")}\n\n`);
process.stdout.write(
  `${JSON.stringify(counts)}\nreads not recognized: ${lost} (${((100 * lost) / counts.reads).toFixed(2)} %)\n`,
);
for (const [reason, count] of [...reasons].toSorted((a, b) => b[1] - a[1]).slice(0, 40))
  process.stdout.write(`${count} ${reason}\n`);
