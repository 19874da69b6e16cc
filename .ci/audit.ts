/**
 * Fails when an advisory is known about anything that comes with the packages or their drivers (`npm audit`). What only the
 * workspace uses is told, and fails nothing. Skipped where the registry answers no such question.
 */
import { complain, DRIVERS, packed, Project, ROOT, skip } from "./project.ts";

interface Report {
  readonly auditReportVersion?: number;
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string; readonly range: string }>>;
}

const env = { PATH: process.env["MACHINE_PATH"] ?? process.env["PATH"] };
const project = new Project();
if (!project.npmInstall(["--package-lock-only", "--ignore-scripts", ...DRIVERS, ...packed().map((one) => one.file)]).ok)
  process.exit(1);
const { stdout, stderr } = project.run("npm audit", "npm", ["audit", "--omit=dev", "--json"], { env, must: false });
const report = parsed(stdout);
if (report?.auditReportVersion === undefined) {
  skip(
    `the registry gives no audit: ${/\b[45]\d\d [A-Z][^-\n"]*|E[A-Z]{4,}/.exec(stderr + stdout)?.[0].trim() ?? "no answer"}`,
  );
}
const found = Object.entries(report.vulnerabilities ?? {});
for (const [name, { severity, range }] of found) complain(`${name} ${range}: ${severity}`);
console.log(`${found.length} advisories about what comes with the packages`);
const workspace = project.run("pnpm audit of the workspace", "npx", ["-y", "pnpm", "--dir", ROOT, "audit"], {
  env,
  must: false,
});
console.log(workspace.stdout + workspace.stderr);

function parsed(text: string): Report | undefined {
  try {
    return JSON.parse(text) as Report;
  } catch {
    return undefined;
  }
}
