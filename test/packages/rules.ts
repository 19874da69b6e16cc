/**
 * Which way imports may point. Each rule says what is wrong, so that the tests can also be shown a wrong import.
 */
import path from "node:path";
import type { Import, Package } from "./tree.ts";
import { packageOf } from "./tree.ts";

/** The packages of ours that each package may import. A new package is entered here. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  policies: ["@breakwater/core"],
  postgres: ["@breakwater/core"],
  pg: ["@breakwater/core", "@breakwater/postgres"],
  mysql: ["@breakwater/core"],
  mysql2: ["@breakwater/core", "@breakwater/mysql"],
  "postgres-js": ["@breakwater/core", "@breakwater/postgres"],
  pglite: ["@breakwater/core", "@breakwater/postgres"],
  otel: ["@breakwater/core"],
  chaos: ["@breakwater/core"],
  breakwater: [
    "@breakwater/core",
    "@breakwater/policies",
    "@breakwater/postgres",
    "@breakwater/pg",
    "@breakwater/chaos",
  ],
};

/** Folders and files of `policies` that are pieces shared by policies, not policies. */
export const SHARED: readonly string[] = ["budget", "call-match.ts"];

/** Libraries inside policies and core: each is known to one file, so that it can be changed. */
export const ENGINES: readonly string[] = ["cockatiel", "p-retry", "eventemitter3"];

/** Drivers whose types stay in their adapter. */
export const DRIVERS: readonly string[] = ["pg", "postgres", "@electric-sql/pglite", "mysql2"];

/** The one place where a module is computed: the command imports what its user names. */
const COMPUTED = { file: "packages/breakwater/src/cli/sources.ts", specifier: "(userModule)" };

/** What tests may import besides. */
const TEST_TOOLS = ["vitest", "fast-check"];

/** What is wrong with an import where it stands; undefined when nothing is. */
export function wrongDirection(one: Import, home: Package): string | undefined {
  if (one.specifier.startsWith("(")) {
    const isKnown = path.normalize(COMPUTED.file) === one.file && one.specifier === COMPUTED.specifier;
    return isKnown ? undefined : "is computed, so that nobody can tell where it points";
  }
  const target = packageOf(one.specifier);
  if (target === undefined) {
    const source = path.join("packages", home.folder, "src");
    const reached = path.join(path.dirname(one.file), one.specifier);
    return reached.startsWith(source + path.sep) ? undefined : "leaves its package by a relative path";
  }
  if (target.startsWith("node:")) return undefined;
  if (one.file.endsWith(".test.ts") && TEST_TOOLS.includes(target)) return undefined;
  if (target === "breakwater" || target.startsWith("@breakwater/")) {
    return MAY_IMPORT[home.folder]?.includes(target) === true ? undefined : `${home.folder} may not import ${target}`;
  }
  const { dependencies, peerDependencies, optionalDependencies } = home.manifest;
  const declared = { ...dependencies, ...peerDependencies, ...optionalDependencies };
  return target in declared ? undefined : `${target} is not a dependency of ${home.manifest.name}`;
}

/** What is wrong with an import of one policy's folder by another's; undefined when nothing is. */
export function wrongNeighbour(one: Import): string | undefined {
  const below = path.join("packages", "policies", "src") + path.sep;
  if (!one.file.startsWith(below)) return undefined;
  const [own, ...rest] = one.file.slice(below.length).split(path.sep);
  // The index of the package itself names every folder.
  if (rest.length === 0) return undefined;
  const target = packageOf(one.specifier);
  const reached =
    target === undefined
      ? path.join(path.dirname(one.file), one.specifier)
      : one.specifier.replace("@breakwater/policies/", below);
  if (!reached.startsWith(below))
    return target === "@breakwater/policies" ? `${own} imports its own package` : undefined;
  const other = reached.slice(below.length).split(path.sep)[0]!;
  return other === own || SHARED.includes(other) ? undefined : `the policy ${own} imports the policy ${other}`;
}
