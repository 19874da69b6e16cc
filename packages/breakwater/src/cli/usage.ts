/** What the command says of itself, and the refusal of what it does not know. */

/** The command was called wrongly, or a file is not what it should be: exit code 2. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** What a parser of options says. @throws UsageError for what it does not take, without what may be a connection string. */
export function parsedBy<T>(parse: (given: string[]) => T, given: readonly string[]): T {
  try {
    return parse([...given]);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(message.replace(/\S*:\/\/\S*/g, "…"));
  }
}

/** Exit codes, for CI. */
export const EXIT = { passed: 0, violated: 1, usage: 2, notRun: 3, interrupted: 130 } as const;

export const HELP = `breakwater: the resilience layer for SQL connection pools

  breakwater chaos list                      the scenarios that are ready to run
  breakwater chaos run SCENARIO…             run scenarios against a real cluster on this machine
  breakwater chaos replay SEED [SCENARIO]    the same dice again
  breakwater doctor [DSN…]                   looks at the servers, and says what to change
  breakwater top URL                         how a running stack stands, live, by its status endpoint
  breakwater --help | --version

"breakwater chaos --help", "breakwater doctor --help" and "breakwater top --help" say more.
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

export const TOP_HELP = `breakwater top URL [options]

  URL                  the status page of a running service, such as http://127.0.0.1:9464/status

  --token TOKEN        where reading needs one (default: BREAKWATER_STATUS_TOKEN, which no list of processes shows)
  --interval SECONDS   pause between two looks, 0.1 to 3600 (default 1)
  --once               one picture, and that is it
  --json               what the endpoint says, a line of JSON for each look

On a terminal it fills the window until Ctrl-C; elsewhere one picture comes below the other. NO_COLOR is kept to.

Exit codes: 0 ended by Ctrl-C, or printed once; 2 wrong usage; 3 no answer with --once, a wrong token, or no status endpoint.
`;

export const DOCTOR_HELP = `breakwater doctor [DSN…] [options]

  DSN                  where a node is, such as postgres://app@db1:5432/shop; default: DATABASE_URL, else PGHOST and its
                       kin; passwords are better in PGPASSWORD or ~/.pgpass, where other users of the machine do not see them

  --primary DSN        a node that is thought to be the primary; a finding when it is not
  --replica DSN        the same for a replica
  --pool-size N        most connections of one pool (default 10)
  --processes N        processes of the service, each with a pool (default 1)
  --ledger TABLE       also looks for the ledger's table
  --max-lag-ms N       longest that a replica may take to have what the primary had (default 2000)
  --timeout-ms N       longest that connecting to a node may take, and its answers (default 5000)
  --fail-on LEVEL      from which level on the exit code is 1: error, warning (default), note, never
  --ignore ID          accepts a finding; several are divided by commas, or said one by one
  --json               writes nodes and findings as JSON
  --list               names all findings, without asking any server

It reads only. Exit codes: 0 nothing serious, 1 something to change, 2 wrong usage.
`;
