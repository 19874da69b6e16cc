/** `breakwater doctor`: looks at the servers that a service connects to, and says what to change. */
import { DOCTOR_HELP, EXIT, UsageError } from "../usage.ts";
import { doctorArguments } from "./arguments.ts";
import { diagnose } from "./diagnose.ts";
import { examine } from "./examine.ts";
import { jsonOf, textOf } from "./report.ts";
import { LEVELS } from "./rule.ts";
import { RULES } from "./rules/index.ts";
import { targetsOf } from "./targets.ts";

/** Where it is written to. */
interface Out {
  write(text: string, written: () => void): unknown;
}

/** @returns the exit code. @throws UsageError */
export async function doctorCommand(given: readonly string[], out: Out = process.stdout): Promise<number> {
  const { given: dsns, failOn, ignored, json, list, help, timeoutMs, ...plan } = doctorArguments(given);
  if (help) return said(DOCTOR_HELP, out);
  if (list) return said(RULES.map(({ id, level, why }) => `${level.padEnd(8)} ${id}: ${why}\n`).join(""), out);
  const unknown = ignored.find((id) => !RULES.some((rule) => rule.id === id));
  if (unknown !== undefined)
    throw new UsageError(`--ignore: there is no finding "${unknown}"; "breakwater doctor --list" names them`);
  const round = await examine(targetsOf(dsns), plan, timeoutMs);
  const findings = diagnose(round, ignored);
  await said(json ? jsonOf(round, findings) : textOf(round, findings), out);
  if (failOn === undefined) return EXIT.passed;
  const serious = LEVELS.slice(0, LEVELS.indexOf(failOn) + 1);
  return findings.some(({ level }) => serious.includes(level)) ? EXIT.violated : EXIT.passed;
}

/** Resolves when it is written: what waits in a pipe would be lost with the process. */
async function said(text: string, out: Out): Promise<number> {
  await new Promise<void>((resolve) => out.write(text, () => resolve()));
  return EXIT.passed;
}
