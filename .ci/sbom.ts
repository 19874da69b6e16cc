/**
 * Writes the list of all that comes with the packages (an SBOM: CycloneDX, by npm itself) to .artifacts/sbom.json, and fails
 * when it is not whole, when a package brings a dependency that dependencies.json does not expect, or one without a licence.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { complain, DRIVERS, type Manifest, packed, Project, ROOT, skip } from "./project.ts";

interface Component {
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses?: readonly { readonly license?: { readonly id?: string }; readonly expression?: string }[];
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  externalReferences?: readonly { readonly type: string; readonly url: string }[];
}

interface Bom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly serialNumber: string;
  readonly version: number;
  readonly metadata: { readonly timestamp: string; component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

/**
 * What each package brings besides packages of ours, directly and through others. Its peers are its user's. It is changed on
 * purpose, never by accident.
 */
const expected = JSON.parse(readFileSync(path.join(import.meta.dirname, "dependencies.json"), "utf8")) as Readonly<
  Record<string, readonly string[]>
>;

/** Licences that ask for nothing but to be named. */
const LICENCES = new Set([
  "MIT",
  "ISC",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "0BSD",
  "Unlicense",
  "BlueOak-1.0.0",
]);

const ours = new Map(packed().map((one) => [one.name, one]));

/** What a list must have to be read by others: the fields that CycloneDX 1.5 asks for, and references that lead somewhere. */
function checkShape(bom: Bom): void {
  if (bom.bomFormat !== "CycloneDX") complain(`the format is ${bom.bomFormat}`);
  if (!/^1\.\d$/.test(bom.specVersion)) complain(`the version of CycloneDX is ${bom.specVersion}`);
  if (!/^urn:uuid:[0-9a-f-]{36}$/.test(bom.serialNumber)) complain(`the serial number is ${bom.serialNumber}`);
  if (!Number.isInteger(bom.version) || bom.version < 1) complain(`the list's version is ${bom.version}`);
  if (Number.isNaN(Date.parse(bom.metadata.timestamp))) complain(`the time is ${bom.metadata.timestamp}`);
  const refs = new Set([bom.metadata.component["bom-ref"]]);
  for (const component of bom.components) {
    const { name, version, purl, hashes = [] } = component;
    if (refs.has(component["bom-ref"])) complain(`${component["bom-ref"]} is listed twice`);
    refs.add(component["bom-ref"]);
    if (!purl.startsWith(`pkg:npm/${name.replace("@", "%40")}@${version}`)) complain(`${name} has the address ${purl}`);
    if (hashes.every(({ alg, content }) => alg !== "SHA-512" || !/^[0-9a-f]{128}$/.test(content))) {
      complain(`${name} has no SHA-512`);
    }
  }
  for (const { ref, dependsOn = [] } of bom.dependencies) {
    for (const one of [ref, ...dependsOn].filter((each) => !refs.has(each)))
      complain(`${one} is referred to, and not listed`);
  }
  for (const name of ours.keys()) {
    if (!bom.components.some((component) => component.name === name)) complain(`${name} is not listed`);
  }
}

function checkLicences(bom: Bom): void {
  for (const { name, licenses = [] } of bom.components) {
    const ids = licenses.map(({ license, expression }) => license?.id ?? expression ?? "unknown");
    if (ids.length === 0 || !ids.every((id) => LICENCES.has(id)))
      complain(`${name} has the licence ${ids.join(", ") || "none"}`);
  }
}

/** Names of what a package brings, without what its user has to bring, without ours, and without what a driver brings. */
function broughtBy(name: string, bom: Bom): string[] {
  const names = new Map(bom.components.map((component) => [component["bom-ref"], component.name]));
  const edges = new Map(bom.dependencies.map(({ ref, dependsOn = [] }) => [ref, dependsOn]));
  const found = new Set<string>();
  const follow = (ref: string): void => {
    const from = names.get(ref) ?? "";
    const peers = peersOf(from);
    for (const next of edges.get(ref) ?? []) {
      const to = names.get(next) ?? "";
      if (peers.includes(to) || found.has(to)) continue;
      found.add(to);
      if (!DRIVERS.includes(to)) follow(next);
    }
  };
  follow(bom.components.find((component) => component.name === name)?.["bom-ref"] ?? "");
  return [...found].filter((each) => !ours.has(each)).toSorted();
}

function peersOf(name: string): readonly string[] {
  return Object.keys(manifests.get(name)?.peerDependencies ?? {});
}

const manifests = new Map(
  readdirSync(path.join(ROOT, "packages")).map((folder) => {
    const manifest = JSON.parse(readFileSync(path.join(ROOT, "packages", folder, "package.json"), "utf8")) as Manifest;
    return [manifest.name, manifest] as const;
  }),
);

const project = new Project();
const [{ version } = { version: "0.0.0" }] = ours.values();
project.write("package.json", { name: "breakwater-packages", version, private: true });
const tarballs = [...ours.values()].map((one) => one.file);
// What is there on every platform is listed, and nothing is unpacked.
if (!project.npmInstall(["--package-lock-only", "--ignore-scripts", ...tarballs]).ok) process.exit(1);
const env = { PATH: process.env["MACHINE_PATH"] ?? process.env["PATH"] };
const listed = project.run("npm sbom", "npm", ["sbom", "--sbom-format=cyclonedx", "--package-lock-only"], {
  env,
  must: false,
});
if (/Unknown command/i.test(listed.stdout + listed.stderr)) skip("npm has no sbom command before 10.1");
if (!listed.ok) {
  complain(`npm sbom\n${listed.stdout}${listed.stderr}`);
  process.exit(1);
}
const bom = JSON.parse(listed.stdout) as Bom;
bom.metadata.component = { ...bom.metadata.component, name: "breakwater-packages" };
for (const component of bom.components) {
  // Where a tarball lay on this machine is nobody's business.
  const references = component.externalReferences?.filter(({ url }) => !url.startsWith("file:"));
  if (references !== undefined) component.externalReferences = references;
}
checkShape(bom);
checkLicences(bom);
for (const name of ours.keys()) {
  const brought = broughtBy(name, bom);
  const wanted = [...(expected[name] ?? [])].toSorted();
  console.log(`${name} brings ${brought.join(", ") || "nothing"}`);
  if (brought.join() !== wanted.join())
    complain(`${name} should bring ${wanted.join(", ") || "nothing"}: see dependencies.json`);
}
writeFileSync(path.join(ROOT, ".artifacts/sbom.json"), `${JSON.stringify(bom, undefined, 2)}\n`);
console.log(`${bom.components.length} components in .artifacts/sbom.json`);
