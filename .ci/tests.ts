/**
 * Reads vitest's report: prints `passed failed skipped` on the standard output, and the skipped and failed tests by name on
 * the standard error. Arguments: the report, and the status that vitest ended with.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

interface Assertion {
  readonly fullName: string;
  readonly status: string;
  readonly failureMessages?: readonly string[];
  /** A test that finds out while it runs why it cannot says so here; others have the reason in their name. */
  readonly meta?: { readonly skipped?: string };
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly Assertion[];
  }[];
}

const [file = "", status = "1"] = process.argv.slice(2);

if (!existsSync(file)) {
  console.error("no test was run: there is no report");
  console.log("0 1 0");
} else {
  const report = JSON.parse(readFileSync(file, "utf8")) as Report;
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for (const { name, status: outcome, message, assertionResults } of report.testResults) {
    const where = path.relative(process.cwd(), name);
    for (const { fullName, status: result, failureMessages, meta } of assertionResults) {
      if (result === "passed") passed += 1;
      else if (result === "failed") {
        failed += 1;
        console.error(`failed: ${where}: ${fullName}: ${failureMessages?.[0]?.split("\n")[0] ?? ""}`);
      } else {
        skipped += 1;
        const why = meta?.skipped === undefined ? "" : ` (${meta.skipped})`;
        console.error(`skipped: ${where}: ${fullName}${why}`);
      }
    }
    // A file that cannot be loaded, or a hook that fails, has no test that could fail.
    if (outcome === "failed" && assertionResults.every((one) => one.status !== "failed")) {
      failed += 1;
      console.error(
        `failed: ${where}: ${message?.split("\n")[0] || "it could not be loaded, or one of its hooks failed: see the log"}`,
      );
    }
  }
  if (status !== "0" && failed === 0) {
    failed = 1;
    console.error(
      `failed: vitest ended with ${status}, though no test failed: an error outside of the tests, or none was found`,
    );
  }
  console.log(`${passed} ${failed} ${skipped}`);
}
