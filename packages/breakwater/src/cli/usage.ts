/** What the command says of itself, and the refusal of what it does not know. */

/** The command was called wrongly, or a file is not what it should be: exit code 2. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** Exit codes, for CI. */
export const EXIT = { passed: 0, violated: 1, usage: 2, notRun: 3, interrupted: 130 } as const;

export const HELP = `breakwater: the resilience layer for SQL connection pools

  breakwater chaos list                      the scenarios that are ready to run
  breakwater chaos run SCENARIO…             run scenarios against a real cluster on this machine
  breakwater chaos replay SEED [SCENARIO]    the same dice again
  breakwater --help | --version

"breakwater chaos --help" says more.
`;

export const CHAOS_HELP = `breakwater chaos run SCENARIO… [options]

  SCENARIO             a ready one by name, "all" of these, a YAML file, or a module that exports a scenario

  --against WHO        who is tried: "breakwater" (the preset, default), "bare" (pg.Pool with a retry wrapper),
                       or a module that exports a subject; said twice, both, and the report compares them
  --image IMAGE        runs the servers in containers of this image, such as postgres:17 (needs testcontainers)
  --seed N             seed of the dice (default: a random one, which is told)
  --seeds K            runs each scenario with K seeds, from N on (default 1)
  --json FILE          writes what came of it as JSON ("-": standard output)
  --junit FILE         writes it as JUnit XML ("-": standard output)
  --report FILE        writes it as one HTML file
  --store FOLDER       where runs are kept for replay (default .breakwater/chaos)
  --quiet              tells only what went wrong, and the sum

breakwater chaos list
breakwater chaos replay SEED [SCENARIO] [options of run]

Exit codes: 0 passed, 1 violations, 2 wrong usage or a bad file, 3 could not be run, 130 interrupted.
`;
