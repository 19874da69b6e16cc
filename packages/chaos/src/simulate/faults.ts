/**
 * What goes wrong in a simulation, as plain data: a script is written down, sent to somebody, made shorter.
 */
import { knownOptions, nonNegativeMs, oneOf, OptionError, positiveMs, ratio, text } from "@breakwater/core";

/** When and where. `target` is a node (`n1` is the first primary, then `n2` …), `primary` for whoever is it then, or `all`. */
interface Step {
  /** When it begins, in milliseconds of virtual time. */
  readonly atMs: number;
  /** How long it lasts, in milliseconds. */
  readonly durationMs: number;
  readonly target: string;
}

/**
 * One thing that goes wrong for a while.
 *
 * - `crash`: the server is gone, with all its connections; after that it starts again. A replica may be promoted meanwhile.
 * - `hang`: nothing comes in or goes out, connections stay.
 * - `partition`: the same between clients and the server only, both ways or one.
 * - `slow`: every statement takes `factor` times as long.
 * - `lag`: what the node receives from the primary is not replayed.
 * - `detach`: the node neither sends nor receives replication.
 * - `lost-replies`: a share `rate` of the statements `to` which it applies is answered by a reset: `after` they were carried
 *   out, or `before`.
 * - `errors`: a share `rate` of the statements fails with `code`, an SQLSTATE.
 * - `refuse`: new connections are turned away with 53300.
 * - `promote`: a replica becomes primary although the primary lives; the old one follows when the time is over.
 * - `surge`: `factor` times as many calls as usual come. The target is not looked at.
 */
export type Fault =
  | (Step & { readonly kind: "crash" | "hang" | "lag" | "detach" | "refuse" | "promote" })
  | (Step & { readonly kind: "partition"; readonly direction?: "both" | "requests" | "replies" })
  | (Step & { readonly kind: "slow" | "surge"; readonly factor: number })
  | (Step & {
      readonly kind: "lost-replies";
      readonly rate: number;
      readonly to?: "any" | "write" | "commit";
      readonly when?: "after" | "before";
    })
  | (Step & { readonly kind: "errors"; readonly rate: number; readonly code: string });

/** Names of faults. */
export type FaultKind = Fault["kind"];

const EXTRA: Readonly<Record<FaultKind, readonly string[]>> = {
  crash: [],
  hang: [],
  lag: [],
  detach: [],
  refuse: [],
  promote: [],
  partition: ["direction"],
  slow: ["factor"],
  surge: ["factor"],
  "lost-replies": ["rate", "to", "when"],
  errors: ["rate", "code"],
};

/** Every kind of fault. */
export const FAULT_KINDS: readonly FaultKind[] = Object.keys(EXTRA) as FaultKind[];

/** @throws OptionError when a step of a script is none, or names a node that is not there. */
export function checkFaults(option: string, given: unknown, nodes: readonly string[]): readonly Fault[] {
  if (!Array.isArray(given)) throw new OptionError(option, given, "an array of faults");
  return given.map((fault: unknown, index) => checkFault(`${option}[${index}]`, fault, nodes));
}

function checkFault(option: string, given: unknown, nodes: readonly string[]): Fault {
  if (typeof given !== "object" || given === null) throw new OptionError(option, given, "a fault");
  const fault = given as Fault & Readonly<Record<string, unknown>>;
  const kind = oneOf(`${option}.kind`, fault.kind, FAULT_KINDS);
  knownOptions<object>(option, fault, ["kind", "atMs", "durationMs", "target", ...EXTRA[kind]] as never[]);
  nonNegativeMs(`${option}.atMs`, fault.atMs);
  positiveMs(`${option}.durationMs`, fault.durationMs);
  oneOf(`${option}.target`, fault.target, [...nodes, "primary", "all"]);
  if (EXTRA[kind].includes("rate")) ratio(`${option}.rate`, fault["rate"]);
  if (EXTRA[kind].includes("factor")) factorOf(`${option}.factor`, fault["factor"]);
  if (kind === "errors") text(`${option}.code`, fault["code"]);
  if (fault["direction"] !== undefined)
    oneOf(`${option}.direction`, fault["direction"], ["both", "requests", "replies"]);
  if (fault["to"] !== undefined) oneOf(`${option}.to`, fault["to"], ["any", "write", "commit"]);
  if (fault["when"] !== undefined) oneOf(`${option}.when`, fault["when"], ["after", "before"]);
  return Object.freeze({ ...fault });
}

function factorOf(option: string, value: unknown): void {
  if (typeof value !== "number" || !(value > 0 && value <= 10_000)) {
    throw new OptionError(option, value, "a number above 0, at most 10000");
  }
}

/** A fault in a few words, as `crash n1 at 1200 ms for 3000 ms`. */
export function describeFault(fault: Fault): string {
  const { kind, target, atMs, durationMs, ...rest } = fault;
  const extra = Object.entries(rest)
    .map(([name, value]) => `, ${name} ${value}`)
    .join("");
  return `${kind} ${target} at ${atMs} ms for ${durationMs} ms${extra}`;
}
