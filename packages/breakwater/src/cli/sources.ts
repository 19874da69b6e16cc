/** Scenarios and subjects, by what the command line calls them. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import {
  barePool,
  ChaosError,
  loadScenario,
  type ProviderFactory,
  readyScenario,
  readyScenarios,
  type Scenario,
  ScenarioError,
  type SubjectFactory,
} from "@breakwater/chaos";
import { stack } from "./stack.ts";
import { UsageError } from "./usage.ts";

/** What stands for a scenario or subject: one that comes with us, or a file. */
interface Named<T> {
  readonly value: T;
  /** Absolute path; undefined for what comes with us. */
  readonly file: string | undefined;
}

/** A scenario, and how it can be found again. */
export interface NamedScenario extends Named<Scenario> {
  readonly given: string;
}

/** Who is tried, and what the command line calls it. */
export interface NamedSubject {
  readonly value: SubjectFactory;
  readonly given: string;
}

/** @throws UsageError for what is not there, or no scenario. */
export async function scenariosOf(given: readonly string[]): Promise<NamedScenario[]> {
  const found: NamedScenario[] = [];
  for (const one of given) {
    if (one === "all") {
      found.push(...(await readyScenarios()).map((value) => ({ value, file: undefined, given: value.name })));
    } else found.push(...(await scenariosIn(one)));
  }
  return found;
}

/** @throws UsageError */
export async function subjectOf(given: string): Promise<NamedSubject> {
  if (given === "breakwater") return { value: stack, given };
  if (given === "bare") return { value: barePool, given };
  const module = await load(given, "--against");
  for (const one of [module["subject"], module["default"]]) {
    if (typeof one === "function") return { value: one as SubjectFactory, given };
  }
  throw new UsageError(
    `--against ${given}: expected an exported function "subject" or "default", found ${names(module)}`,
  );
}

/** Where the servers run: in containers of an image. @throws UsageError where that cannot be. */
export async function providerOf(image: string): Promise<ProviderFactory> {
  try {
    const { containers } = await import("@breakwater/chaos/containers");
    return containers({ image });
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message?: string };
    if (code === "ERR_MODULE_NOT_FOUND")
      throw new UsageError(`--image needs testcontainers: npm install --save-dev testcontainers (${message})`);
    if (error instanceof RangeError) throw new UsageError(`--image: ${message}`);
    throw error;
  }
}

async function scenariosIn(given: string): Promise<NamedScenario[]> {
  try {
    const isYaml = /\.ya?ml$/i.test(given);
    const isModule = /\.[cm]?[jt]s$/i.test(given);
    if (!isYaml && !isModule) return [{ value: await readyScenario(given), file: undefined, given }];
    const file = path.resolve(given);
    if (isYaml) return [{ value: await loadScenario(given), file, given }];
    const module = await load(given, "scenario");
    const all = [module["scenario"], module["default"]].flat().filter(isScenario);
    if (all.length > 0) return [...new Set(all)].map((value) => ({ value, file, given }));
    throw new UsageError(`${given}: expected an exported scenario "default" or "scenario", found ${names(module)}`);
  } catch (error) {
    if (error instanceof ScenarioError) throw new UsageError(`the scenario cannot be run\n${error.message}`);
    if (error instanceof ChaosError) throw new UsageError(error.message);
    const { code, message } = error as { readonly code?: string; readonly message?: string };
    if (code === "ENOENT" || code === "EISDIR" || code === "EACCES") throw new UsageError(String(message));
    throw error;
  }
}

async function load(given: string, what: string): Promise<Record<string, unknown>> {
  const file = path.resolve(given);
  const isFile = await stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
  try {
    const userModule = isFile ? pathToFileURL(file).href : given;
    return (await import(userModule)) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof ScenarioError) throw error;
    throw new UsageError(
      `${what} ${given}: cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function isScenario(value: unknown): value is Scenario {
  return typeof value === "object" && value !== null && "steps" in value && "source" in value;
}

function names(module: Record<string, unknown>): string {
  const found = Object.keys(module);
  return found.length === 0 ? "no exports" : found.join(", ");
}
