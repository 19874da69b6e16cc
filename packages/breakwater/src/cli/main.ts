#!/usr/bin/env node
/** The command `breakwater`. */
import { readFile } from "node:fs/promises";
import { EXIT, HELP, UsageError } from "./usage.ts";

/** How long what was left open may keep the command, in milliseconds. */
const LEFT_OPEN_MS = 2_000;
/** Handles that a command always has: where it writes to. */
const OURS: readonly string[] = ["PipeWrap", "TTYWrap"];

async function main(given: readonly string[]): Promise<number> {
  const [command, ...rest] = given;
  // What was said may hold a password, and lists of processes show it.
  if (command === "doctor" || command === "top") process.title = `breakwater ${command}`;
  switch (command) {
    case "chaos":
      return chaos(rest);
    case "doctor": {
      const { doctorCommand } = await import("./doctor/doctor.ts");
      return doctorCommand(rest);
    }
    case "top":
      return (await import("./top/top.ts")).topCommand(rest);
    case "--version":
    case "-v":
      process.stdout.write(`${await version()}\n`);
      return EXIT.passed;
    case "--help":
    case "-h":
    case "help":
      process.stdout.write(HELP);
      return EXIT.passed;
    case undefined:
      process.stderr.write(HELP);
      return EXIT.usage;
    default:
      throw new UsageError(`there is no command "${command}"; "breakwater --help" names them`);
  }
}

/** The kit is installed by those who want it: a service in production needs no PostgreSQL servers. */
async function chaos(rest: readonly string[]): Promise<number> {
  try {
    await import("@breakwater/chaos");
  } catch (error) {
    if ((error as { readonly code?: string }).code !== "ERR_MODULE_NOT_FOUND") throw error;
    const { message } = error as Error;
    process.stderr.write(`breakwater chaos needs the kit: npm install --save-dev @breakwater/chaos\n(${message})\n`);
    return EXIT.notRun;
  }
  const { chaosCommand } = await import("./chaos.ts");
  return chaosCommand(rest);
}

async function version(): Promise<string> {
  const manifest = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { readonly version: string }).version;
}

// Who reads along may stop reading.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`breakwater: ${error.message}\n`);
    process.exitCode = EXIT.usage;
  } else {
    process.stderr.write(`breakwater: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = EXIT.notRun;
  }
}

// Nothing of ours is open now. What the code under trial has left open must not keep the command, but is told.
setTimeout(() => {
  const open = process.getActiveResourcesInfo().filter((name) => !OURS.includes(name));
  process.stderr.write(`breakwater: ended by force, as something was left open: ${open.join(", ")}\n`, () => {
    // oxlint-disable-next-line unicorn/no-process-exit -- see above
    process.exit();
  });
}, LEFT_OPEN_MS).unref();
