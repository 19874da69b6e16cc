/** The scenarios that come with the kit. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { setupError } from "../errors.ts";
import { nearest } from "./issue.ts";
import type { Scenario } from "./model.ts";
import { loadScenario } from "./yaml.ts";

const FOLDER = fileURLToPath(new URL("../../scenarios/", import.meta.url));

/** All ready scenarios, by name. */
export async function readyScenarios(): Promise<Scenario[]> {
  const files = (await readdir(FOLDER)).filter((file) => file.endsWith(".yaml")).toSorted();
  return Promise.all(files.map((file) => loadScenario(path.join(FOLDER, file))));
}

/** A ready scenario by its name. @throws ChaosError ERR_BREAKWATER_CHAOS_SETUP when there is none of that name. */
export async function readyScenario(name: string): Promise<Scenario> {
  const all = await readyScenarios();
  const found = all.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = all.map((one) => one.name);
  const near = nearest(name, names);
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  throw setupError(`there is no ready scenario "${name}"${hint} There are: ${names.join(", ")}`);
}
