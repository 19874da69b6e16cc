/** Does the steps of a scenario, one after the other. */
import { setTimeout as delay } from "node:timers/promises";
import type { ActiveFault } from "../faults/active-fault.ts";
import { draw } from "../scenario/duration.ts";
import type { Condition, Duration, Step, StepActions } from "../scenario/model.ts";
import { awaitCondition, UnmetError } from "./conditions.ts";
import type { RunContext } from "./context.ts";
import { dice, type Dice } from "./dice.ts";
import { beginFault, type FaultGiven } from "./fault-steps.ts";
import type { Lanes } from "./lanes.ts";
import type { Places } from "./places.ts";
import type { RunStep } from "./record.ts";

/** What steps work on. */
export interface StepSight extends Omit<RunContext, "random" | "nodes" | "names"> {
  readonly places: Places;
  readonly breakers: Lanes;
  readonly seed: number;
  /** Milliseconds since the load began. */
  readonly now: () => number;
  /** Hears when a step begins and when it has ended. */
  readonly told: (step: RunStep | { readonly path: string; readonly text: string; readonly status: "running" }) => void;
}

export class Steps {
  readonly done: RunStep[] = [];
  readonly #sight: StepSight;
  readonly #named = new Map<string, readonly ActiveFault[]>();
  readonly #begun = new Set<ActiveFault>();
  /** Faults whose time is running. */
  readonly #timed: Promise<void>[] = [];
  #failed = false;

  constructor(sight: StepSight) {
    this.#sight = sight;
  }

  /** Does them all. What follows a step that failed is skipped. */
  async run(steps: readonly Step[], path = "steps"): Promise<void> {
    for (const [at, step] of steps.entries()) await this.#step(step, `${path}[${at}]`);
  }

  /** Resolves when every fault with a time of its own has ended. */
  async timed(): Promise<void> {
    await Promise.all(this.#timed);
  }

  /** Ends what keeps calls from being answered. Servers that are down, and promotions, stay as they are. */
  async endFaults(): Promise<void> {
    const LASTING = ["kill", "stop", "promote", "failover", "switchover"];
    await Promise.all([...this.#begun].filter(({ name }) => !LASTING.includes(name)).map((fault) => fault.off()));
  }

  async #step(step: Step, path: string): Promise<void> {
    if (typeof step !== "function" && step.repeat !== undefined) {
      const { times, steps } = step.repeat;
      for (let round = 1; round <= times; round++) await this.run(steps, `${path}.repeat#${round}.steps`);
      return;
    }
    const { now, told } = this.#sight;
    const text = textOf(step);
    const fromMs = now();
    if (this.#failed) {
      this.done.push({ path, text, status: "skipped", fromMs, toMs: fromMs });
      return;
    }
    told({ path, text, status: "running" });
    let ended: RunStep;
    try {
      const more = await this.#do(step, dice(this.#sight.seed, path));
      ended = { path, text: `${text}${more}`, status: "done", fromMs, toMs: now() };
    } catch (error) {
      this.#failed = true;
      const status = error instanceof UnmetError ? "unmet" : "broken";
      const message = error instanceof Error ? error.message : String(error);
      ended = { path, text, status, fromMs, toMs: now(), error: message };
    }
    this.#sight.places.look();
    this.done.push(ended);
    told(ended);
  }

  /** @returns what the dice gave, for the record. */
  async #do(step: Step, random: Dice): Promise<string> {
    this.#sight.signal.throwIfAborted();
    if (typeof step === "function") {
      await step(this.#context(random));
      return "";
    }
    const [[key, value] = ["", undefined]] = Object.entries(step) as [string, unknown][];
    const { places, cluster, signal } = this.#sight;
    switch (key as keyof StepActions) {
      case "wait": {
        const ms = draw(value as Duration, random);
        await delay(ms, undefined, { signal });
        return typeof value === "object" ? ` → ${ms} ms` : "";
      }
      case "until": {
        const nodes = (target: string): ReturnType<Places["nodes"]> => places.nodes(target, random);
        await awaitCondition(value as Condition, { ...this.#sight, cluster, named: this.#named, nodes });
        return "";
      }
      case "end":
        await this.#end(value as string | readonly string[]);
        return "";
      case "resume":
      case "restart": {
        const target = typeof value === "string" ? value : ((value as { readonly on?: string }).on ?? "primary");
        const nodes = places.nodes(target, random);
        for (const node of nodes) await (key === "resume" ? node.resume() : node.restart());
        return ` → ${nodes.map(({ name }) => name).join(", ")}`;
      }
      case "sql": {
        const { text, on = "primary" } = value as StepActions["sql"];
        await Promise.all(places.nodes(on, random).map((node) => node.query(text)));
        return "";
      }
      case "names":
        places.name((value as readonly string[]).flatMap((target) => places.nodes(target, random)));
        return "";
      default:
        return this.#fault(key, value as FaultGiven, random);
    }
  }

  async #fault(key: string, given: FaultGiven, random: Dice): Promise<string> {
    const options = typeof given === "string" ? { on: given } : given;
    const nodes = (target: string): ReturnType<Places["nodes"]> => this.#sight.places.nodes(target, random);
    const begun = await beginFault(this.#sight.faults, key, options, nodes, random);
    for (const fault of begun) this.#begun.add(fault);
    if (options.as !== undefined) this.#named.set(options.as, [...(this.#named.get(options.as) ?? []), ...begun]);
    const targets = begun.map(({ target }) => target).join(", ");
    if (options.for === undefined) return ` → ${targets}`;
    const ms = draw(options.for, random);
    this.#timed.push(this.#endAfter(begun, ms));
    return ` → ${targets} for ${ms} ms`;
  }

  async #endAfter(faults: readonly ActiveFault[], ms: number): Promise<void> {
    const { signal, now } = this.#sight;
    await delay(ms, undefined, { signal }).catch(() => {});
    const fromMs = now();
    try {
      await Promise.all(faults.map((fault) => fault.off()));
    } catch (error) {
      this.#failed = true;
      const text = `end of ${faults.map(({ name, target }) => `${name} at ${target}`).join(", ")}`;
      const message = error instanceof Error ? error.message : String(error);
      this.done.push({ path: "for", text, status: "broken", fromMs, toMs: now(), error: message });
    }
  }

  async #end(names: string | readonly string[]): Promise<void> {
    const all = typeof names === "string" ? [names] : names;
    const faults = all.flatMap((name) => (name === "all" ? [...this.#begun] : (this.#named.get(name) ?? [])));
    // Backwards: what was done last is in the way of what was done before.
    for (const fault of faults.toReversed()) await fault.off();
  }

  #context(random: Dice): RunContext {
    const { cluster, faults, history, subject, signal, places } = this.#sight;
    return {
      cluster,
      faults,
      history,
      subject,
      signal,
      random,
      nodes: (target) => places.nodes(target, random),
      names: (targets) => places.name(targets.flatMap((target) => places.nodes(target, random))),
    };
  }
}

/** A step in one line. */
function textOf(step: Step): string {
  if (typeof step === "function") return step.name === "" ? "a function" : step.name;
  const [[key, value] = ["", undefined]] = Object.entries(step) as [string, unknown][];
  return `${key} ${shown(value)}`;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(shown).join(isRange(value) ? " to " : ", ");
  if (value instanceof RegExp) return String(value);
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([name, one]) => `${name}: ${typeof one === "object" ? `{ ${shown(one)} }` : String(one)}`)
    .join(", ");
}

/** Whether a list is a range. */
function isRange(value: readonly unknown[]): boolean {
  return value.length === 2 && value.every((one) => typeof one === "number" || /^\d/.test(String(one)));
}
