/**
 * The demo's command line.
 */
import { parseArgs } from "node:util";

export interface DemoOptions {
  /** Decides which calls are made, which replica is hurt and which replies are lost; 0 to 4294967295. */
  readonly seed: number;
  /** Lines instead of the live view. */
  readonly plain: boolean;
  /** Where the full record goes, as JSON. */
  readonly json: string | undefined;
}

export const USAGE = `Usage: pnpm demo [--seed N] [--plain] [--json FILE]

Starts a real PostgreSQL cluster (a primary and two replicas), offers the same load to plain
pg.Pools with a retry loop and to breakwater(), hurts the cluster for about 40 seconds, and
then counts in the database what became of every write.

  --seed N     the same calls and the same faults as another run (0 to 4294967295)
  --plain      lines instead of the live view; also chosen when there is no terminal
  --json FILE  write everything that was counted, second by second
  --help       this text

Exit code 0: breakwater() lost no write, doubled none, reported none wrongly, failed no read
and kept the sum of the accounts. 1: it did not. 2: wrong arguments. 130: interrupted.`;

/** What was asked for: a run, the help, or something that is not understood. */
export type Wish = { readonly run: DemoOptions } | { readonly help: true } | { readonly complaint: string };

const MAX_SEED = 0xffff_ffff;

export function readOptions(args: readonly string[]): Wish {
  try {
    const { values } = parseArgs({
      // Package managers hand over the "--" that stands before a script's arguments.
      args: args[0] === "--" ? args.slice(1) : [...args],
      options: {
        seed: { type: "string" },
        plain: { type: "boolean", default: false },
        json: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return { help: true };
    if (values.json === "") return { complaint: "--json needs the name of a file" };
    const seed = values.seed === undefined ? Math.floor(Math.random() * MAX_SEED) : wholeNumber(values.seed);
    if (seed === undefined)
      return { complaint: `--seed must be a whole number from 0 to ${MAX_SEED}, got ${values.seed}` };
    return { run: { seed, plain: values.plain, json: values.json } };
  } catch (error) {
    return { complaint: error instanceof Error ? error.message : String(error) };
  }
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_SEED ? Number(text) : undefined;
}
