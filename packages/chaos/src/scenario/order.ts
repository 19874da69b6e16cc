/** What no single step shows: names that are used before they are given, nodes that the cluster does not have. */
import { nearest, type ScenarioIssue, type ScenarioPath } from "./issue.ts";
import { isMapping } from "./shape.ts";
import type { ScenarioDefinition, Step } from "./model.ts";

/** Faults that only a replica can have. */
export const replicaFaults: readonly string[] = ["pauseReplay", "delayReplay", "lag", "promote"];
/** What takes a replica to become the primary. */
const promotions: readonly string[] = ["failover", "switchover", "promote"];
/** Keys of steps that begin no fault. */
export const plainActions: readonly string[] = ["wait", "until", "repeat", "end", "resume", "restart", "sql", "names"];

/** Checks a scenario whose every part is right by itself. */
export function orderIssues(definition: ScenarioDefinition): ScenarioIssue[] {
  const issues: ScenarioIssue[] = [];
  const order = new Order(definition, (issue) => issues.push(issue));
  order.shares();
  order.places([...(definition.service?.nodes ?? []).entries()].map(([at, node]) => [["service", "nodes", at], node]));
  order.steps(definition.steps, ["steps"]);
  return issues;
}

class Order {
  readonly #definition: ScenarioDefinition;
  readonly #report: (issue: ScenarioIssue) => void;
  readonly #replicas: number;
  /** Names of faults, each with whether it stands before the present step. */
  readonly #names = new Set<string>();
  #faults = 0;
  #promoted = false;

  constructor(definition: ScenarioDefinition, report: (issue: ScenarioIssue) => void) {
    this.#definition = definition;
    this.#report = report;
    this.#replicas = definition.cluster?.replicas ?? 2;
  }

  shares(): void {
    const mix = this.#definition.workload?.mix;
    if (mix === undefined || Object.values(mix).some((one) => one > 0)) return;
    this.#wrong(["workload", "mix"], "a share above 0 for one kind of call", "none");
  }

  steps(steps: readonly Step[], path: ScenarioPath): void {
    for (const [at, step] of steps.entries()) {
      if (typeof step === "function") {
        this.#promoted = true;
        continue;
      }
      const [[key, value] = ["", undefined]] = Object.entries(step) as [string, unknown][];
      this.#step(key, value, [...path, at, key]);
    }
  }

  places(places: readonly (readonly [ScenarioPath, unknown])[]): void {
    for (const [path, node] of places) if (typeof node === "string") this.#node(node, path);
  }

  #step(key: string, value: unknown, path: ScenarioPath): void {
    if (key === "repeat") return this.steps((value as { readonly steps: readonly Step[] }).steps, [...path, "steps"]);
    if (key === "end") return this.#ends(value as string | readonly string[], path);
    if (key === "names") {
      if (this.#definition.service === undefined) this.#wrong(path, `"service" at the top, with its nodes`, "none");
      return this.places([...(value as readonly string[]).entries()].map(([at, node]) => [[...path, at], node]));
    }
    const options = isMapping(value) ? (value as Readonly<Record<string, unknown>>) : {};
    if (typeof value === "string" && key !== "until") this.#node(value, path);
    this.places(
      (["on", "to"] as const)
        .filter((one) => one !== "to" || promotions.includes(key))
        .map((one) => [[...path, one], options[one]]),
    );
    if (key === "until") return this.#until(value, path);
    if (plainActions.includes(key)) return;
    this.#faults += 1;
    if (this.#replicas === 0 && (replicaFaults.includes(key) || promotions.includes(key))) {
      this.#wrong(path, `a cluster with replicas for ${key}`, "replicas: 0");
    }
    this.#roles(key, typeof value === "string" ? value : options["on"], options["to"], path);
    if (promotions.includes(key)) this.#promoted = true;
    const { as } = options;
    if (typeof as !== "string") return;
    if (this.#names.has(as)) this.#wrong([...path, "as"], "a name of its own for each fault", `"${as}" a second time`);
    this.#names.add(as);
  }

  /** What only a replica can do is not asked of the node that is none whenever it is asked. */
  #roles(key: string, on: unknown, to: unknown, path: ScenarioPath): void {
    if (replicaFaults.includes(key) && (on === "primary" || on === "all")) {
      this.#wrong(path, `a replica for ${key}`, `"${on}"`);
    }
    if ((key === "failover" || key === "switchover") && to === "primary") {
      this.#wrong([...path, "to"], "a replica, which takes over", `"primary"`);
    }
  }

  #ends(value: string | readonly string[], path: ScenarioPath): void {
    const names = typeof value === "string" ? [value] : value;
    for (const [at, name] of names.entries()) {
      const place = typeof value === "string" ? path : [...path, at];
      if (name !== "all") this.#known(name, place);
      else if (this.#faults === 0) this.#wrong(place, "a fault in an earlier step", "none to end");
    }
  }

  #until(value: unknown, path: ScenarioPath): void {
    const is = isMapping(value) ? (value as { readonly is?: unknown }).is : value;
    if (this.#replicas === 0 && (is === "replicas-streaming" || is === "replicas-caught-up")) {
      this.#wrong(path, `a cluster with replicas for ${is}`, "replicas: 0");
    }
    if (isMapping(value) && "fault" in value) this.#known(String(value.fault), [...path, "fault"]);
  }

  #known(name: string, path: ScenarioPath): void {
    if (this.#names.has(name)) return;
    const near = nearest(name, [...this.#names]);
    const hint = near === undefined ? "" : ` (did you mean "${near}"?)`;
    this.#wrong(path, `a fault that an earlier step names by "as"`, `"${name}"${hint}, which none does`);
  }

  #node(node: string, path: ScenarioPath): void {
    if (/^n\d$/.test(node) && Number(node.slice(1)) > this.#replicas + 1) {
      this.#wrong(path, `a node from n1 to n${this.#replicas + 1}`, node);
    }
    if (node.startsWith("replica") && this.#replicas === 0) this.#wrong(path, "a cluster with replicas", "replicas: 0");
    if (node === "old-primary" && !this.#promoted) {
      this.#wrong(path, "a failover, switchover or promote in an earlier step", "old-primary before there is one");
    }
  }

  #wrong(path: ScenarioPath, expected: string, found: string): void {
    this.#report({ path, at: "value", expected, found });
  }
}
