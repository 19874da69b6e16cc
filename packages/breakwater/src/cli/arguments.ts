/** What `breakwater chaos` is told. */
import { parseArgs } from "node:util";
import { parsedBy, UsageError } from "./usage.ts";

/** A run as it was asked for. */
export interface RunArguments {
  readonly scenarios: readonly string[];
  /** Who is tried, one after the other. */
  readonly against: readonly string[];
  /** Image of the containers that the servers run in; undefined: as processes of this machine. */
  readonly image: string | undefined;
  readonly seed: number;
  readonly seeds: number;
  readonly json: string | undefined;
  readonly junit: string | undefined;
  readonly report: string | undefined;
  readonly store: string;
  readonly quiet: boolean;
}

export interface ChaosArguments extends RunArguments {
  readonly help: boolean;
  /** Whether `--seed`, and `--against`, were said. */
  readonly said: { readonly seed: boolean; readonly against: boolean };
}

const MAX_SEED = 0xffff_ffff;

/** @throws UsageError naming the option. */
export function chaosArguments(given: readonly string[]): ChaosArguments {
  const { values, positionals } = parsedBy(parse, given);
  const seed = values.seed === undefined ? undefined : seedOf("--seed", values.seed);
  return {
    scenarios: positionals,
    against: [...new Set(values.against ?? ["breakwater"])],
    image: values.image,
    seed: seed ?? Math.floor(Math.random() * 1_000_000),
    seeds: values.seeds === undefined ? 1 : whole("--seeds", values.seeds, 1, 10_000),
    json: values.json,
    junit: values.junit,
    report: values.report,
    store: values.store ?? ".breakwater/chaos",
    quiet: values.quiet ?? false,
    help: values.help ?? false,
    said: { seed: seed !== undefined, against: values.against !== undefined },
  };
}

/** @throws UsageError */
export function seedOf(name: string, given: string): number {
  return whole(name, given, 0, MAX_SEED);
}

function whole(name: string, given: string, min: number, max: number): number {
  const value = /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${name} must be a whole number from ${min} to ${max}, got "${given}"`);
}

// oxlint-disable-next-line typescript/explicit-function-return-type -- the options say what comes back
function parse(args: string[]) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      against: { type: "string", multiple: true },
      image: { type: "string" },
      seed: { type: "string" },
      seeds: { type: "string" },
      json: { type: "string" },
      junit: { type: "string" },
      report: { type: "string" },
      store: { type: "string" },
      quiet: { type: "boolean", short: "q" },
      help: { type: "boolean", short: "h" },
    },
  });
}
