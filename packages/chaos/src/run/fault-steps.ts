/** From a step to the faults of the kit: their options are the same, but for times, which the dice choose. */
import type { ClusterNode } from "../cluster/node.ts";
import { stateError } from "../errors.ts";
import type { ActiveFault } from "../faults/active-fault.ts";
import type { Faults } from "../faults/faults.ts";
import { draw } from "../scenario/duration.ts";
import type { Duration, FaultPlace } from "../scenario/model.ts";
import { replicaFaults } from "../scenario/order.ts";
import type { Dice } from "./dice.ts";

/** A node, or options with what every fault takes. */
export type FaultGiven = string | FaultOptionsGiven;
export type FaultOptionsGiven = FaultPlace & Readonly<Record<string, unknown>>;

type Begin = (options: object) => ActiveFault | Promise<ActiveFault>;

const SERVER = [
  "kill",
  "stop",
  "hang",
  "killBackend",
  "promote",
  "pauseReplay",
  "delayReplay",
  "lag",
  "fillSlots",
  "holdLock",
  "longStatement",
];
/** Options that are times. */
const TIMES = ["ms", "jitterMs"];

/** Switches on one fault for each node that is meant. @throws what the fault throws. */
export async function beginFault(
  faults: Faults,
  name: string,
  given: FaultOptionsGiven,
  nodes: (target: string) => readonly ClusterNode[],
  random: Dice,
): Promise<ActiveFault[]> {
  const { on, for: _for, as: _as, ...rest } = given;
  if (name === "failover" || name === "switchover") {
    // Here `to` is a node.
    const { to, ...more } = rest;
    const target = typeof to === "string" ? nodes(to)[0] : undefined;
    return [await faults[name]({ ...more, ...(target === undefined ? {} : { to: target }) })];
  }
  const options = prepared(rest, random);
  const chosen = nodes(on ?? (replicaFaults.includes(name) ? "replica" : "primary"));
  return Promise.all(
    chosen.map(async (node) => {
      const level: unknown = SERVER.includes(name) ? faults.server(node) : faults.wire(node);
      const begin = (level as Readonly<Record<string, Begin | undefined>>)[name];
      if (begin === undefined) throw stateError(`there is no fault ${name}`);
      return begin.call(level, options);
    }),
  );
}

function prepared(options: Readonly<Record<string, unknown>>, random: Dice): Record<string, unknown> {
  const made: Record<string, unknown> = { ...options };
  for (const key of TIMES) if (made[key] !== undefined) made[key] = draw(made[key] as Duration, random);
  if (typeof made["to"] === "string") made["to"] = new RegExp(made["to"], "i");
  if (made["probability"] !== undefined) made["random"] = random;
  return made;
}
