/**
 * Prints how large each built package is, and fails for one that is larger than size-limits.json allows: a limit is raised
 * on purpose, never by accident.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";

/** Bytes of JavaScript after gzip, by the package's folder. */
const limits = JSON.parse(readFileSync(path.join(import.meta.dirname, "size-limits.json"), "utf8")) as Readonly<
  Record<string, number>
>;
const below = path.join(import.meta.dirname, "..", "packages");

for (const folder of readdirSync(below)) {
  const dist = path.join(below, folder, "dist");
  const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".js"));
  const code = files.toSorted().map((file) => readFileSync(path.join(dist, file)));
  const size = gzipSync(Buffer.concat(code), { level: 9 }).length;
  const limit = limits[folder];
  console.log(`${folder}: ${size} bytes of ${limit ?? "?"}, ${files.length} files`);
  if (limit === undefined || size > limit) {
    console.log(
      `${folder}: ${limit === undefined ? "has no limit in .ci/size-limits.json" : "is larger than its limit"}`,
    );
    process.exitCode = 1;
  }
}
