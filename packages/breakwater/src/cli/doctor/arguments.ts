/** What `breakwater doctor` is told. */
import { parseArgs } from "node:util";
import { parsedBy, UsageError } from "../usage.ts";
import type { Plan } from "./facts.ts";
import { type Level, LEVELS } from "./rule.ts";
import type { Given } from "./targets.ts";

export interface DoctorArguments extends Plan {
  readonly given: readonly Given[];
  /** Longest that connecting to one node may take, and its answers, in milliseconds each. */
  readonly timeoutMs: number;
  /** From which level on the exit code is 1; undefined: never. */
  readonly failOn: Level | undefined;
  /** Findings that are accepted, by id. */
  readonly ignored: readonly string[];
  readonly json: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

const MAX_MS = 600_000;

/** @throws UsageError naming the option, and never a connection string. */
export function doctorArguments(given: readonly string[]): DoctorArguments {
  const { values, positionals } = parsedBy(parse, given);
  const expecting = (dsns: readonly string[] = [], expected: Given["expected"]): Given[] =>
    dsns.map((dsn) => ({ dsn, expected }));
  const failOn = values["fail-on"] ?? "warning";
  const level = LEVELS.find((one) => one === failOn);
  if (level === undefined && failOn !== "never")
    throw new UsageError(`--fail-on must be one of ${LEVELS.join(", ")}, never, got "${failOn}"`);
  if (values.ledger === "") throw new UsageError("--ledger must be the name of a table");
  return {
    given: [
      ...expecting(values.primary, "primary"),
      ...expecting(values.replica, "replica"),
      ...expecting(positionals, undefined),
    ],
    poolSize: whole("--pool-size", values["pool-size"], 10, 1, 100_000),
    processes: whole("--processes", values.processes, 1, 1, 100_000),
    ledger: values.ledger,
    maxLagMs: whole("--max-lag-ms", values["max-lag-ms"], 2_000, 0, MAX_MS),
    timeoutMs: whole("--timeout-ms", values["timeout-ms"], 5_000, 1, MAX_MS),
    failOn: level,
    ignored: (values.ignore ?? []).flatMap((ids) => ids.split(",")).filter((id) => id !== ""),
    json: values.json ?? false,
    list: values.list ?? false,
    help: values.help ?? false,
  };
}

function whole(name: string, given: string | undefined, byDefault: number, min: number, max: number): number {
  if (given === undefined) return byDefault;
  const value = /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${name} must be a whole number from ${min} to ${max}`);
}

// oxlint-disable-next-line typescript/explicit-function-return-type -- the options say what comes back
function parse(args: string[]) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      primary: { type: "string", multiple: true },
      replica: { type: "string", multiple: true },
      "pool-size": { type: "string" },
      processes: { type: "string" },
      ledger: { type: "string" },
      "max-lag-ms": { type: "string" },
      "timeout-ms": { type: "string" },
      "fail-on": { type: "string" },
      ignore: { type: "string", multiple: true },
      json: { type: "boolean" },
      list: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
}
