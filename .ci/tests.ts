/**
 * Reads vitest's report: prints `passed failed skipped unsteady` on the standard output, and the tests that were not simply
 * passed by name on the standard error. Arguments: the report, the status that vitest ended with, and the reports of later
 * runs of what failed. What failed and then passed in all of those is unsteady: it counts as passed, and is told.
 *
 * With `--failed` and a report, prints the files that are worth another run, one a line: none when many failed, as that is
 * no accident.
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

/** With more files than these, something is broken. */
const MAX_AGAIN = 5;

type Result = Report["testResults"][number];

function read(file: string): Report {
  return JSON.parse(readFileSync(file, "utf8")) as Report;
}

function whereOf({ name }: Result): string {
  return path.relative(process.cwd(), name);
}

/** A file that cannot be loaded, or a hook that fails, has no test that could fail. */
function failedAsWhole({ status, assertionResults }: Result): boolean {
  return status === "failed" && assertionResults.every((one) => one.status !== "failed");
}

const [first = "", ...rest] = process.argv.slice(2);

if (first === "--failed") {
  const failed = read(rest[0] ?? "").testResults.filter((result) => result.status === "failed");
  if (failed.length <= MAX_AGAIN) for (const result of failed) console.log(whereOf(result));
} else {
  count(first, rest[0] ?? "1", rest.slice(1));
}

function count(file: string, status: string, later: readonly string[]): void {
  if (!existsSync(file)) {
    console.error("no test was run: there is no report");
    console.log("0 1 0 0");
    return;
  }
  const again = later.filter((each) => existsSync(each)).map((each) => read(each).testResults);
  const passedLater = (result: Result, fullName?: string): boolean =>
    again.length > 0 &&
    again.every((results) => {
      const same = results.find((each) => each.name === result.name);
      if (same === undefined || same.status === "failed") return false;
      return (
        fullName === undefined ||
        same.assertionResults.some((one) => one.fullName === fullName && one.status === "passed")
      );
    });
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  let unsteady = 0;
  const fail = (result: Result, what: string, why: string | undefined, isUnsteady: boolean): void => {
    console.error(`${isUnsteady ? "unsteady" : "failed"}: ${whereOf(result)}${what}: ${why?.split("\n")[0] ?? ""}`);
    if (isUnsteady) unsteady += 1;
    else failed += 1;
  };
  for (const result of read(file).testResults) {
    for (const { fullName, status: outcome, failureMessages, meta } of result.assertionResults) {
      if (outcome === "passed") passed += 1;
      else if (outcome === "failed") {
        fail(result, `: ${fullName}`, failureMessages?.[0], passedLater(result, fullName));
      } else {
        skipped += 1;
        const why = meta?.skipped === undefined ? "" : ` (${meta.skipped})`;
        console.error(`skipped: ${whereOf(result)}: ${fullName}${why}`);
      }
    }
    const why = result.message === "" ? undefined : result.message;
    if (failedAsWhole(result))
      fail(result, "", why ?? "it could not be loaded, or one of its hooks failed: see the log", passedLater(result));
  }
  if (status !== "0" && failed + unsteady === 0) {
    failed = 1;
    console.error(
      `failed: vitest ended with ${status}, though no test failed: an error outside of the tests, or none was found`,
    );
  }
  console.log(`${passed + unsteady} ${failed} ${skipped} ${unsteady}`);
}
