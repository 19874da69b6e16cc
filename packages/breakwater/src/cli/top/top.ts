/** `breakwater top`: how a running stack stands, live in a terminal, by its status endpoint. */
import { setTimeout as delay } from "node:timers/promises";
import type { StatusReport } from "../../status/report.ts";
import { harmless } from "../harmless.ts";
import { EXIT, TOP_HELP } from "../usage.ts";
import { topArguments } from "./arguments.ts";
import { ask, NoAnswerError } from "./ask.ts";
import { type Screen, screenOf } from "./screen.ts";

/** Runs it to its end: one picture, or until it is interrupted. Resolves with the exit code. */
export async function topCommand(given: readonly string[]): Promise<number> {
  const { url, token, intervalMs, once, json, help } = topArguments(given);
  if (help || url === undefined) {
    process.stdout.write(TOP_HELP);
    return EXIT.passed;
  }
  const stopping = new AbortController();
  const { signal } = stopping;
  const stop = (): void => stopping.abort();
  const ends = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const each of ends) process.on(each, stop);
  // Who reads along has gone, as `head` does.
  process.stdout.on("close", stop);
  const screen = screenOf({ address: url.href.replace(/status\.json$/, ""), once, json });
  let seen: StatusReport | undefined;
  try {
    for (;;) {
      const beganMs = performance.now();
      try {
        const report = await ask(url, token, signal);
        show(screen, report);
        seen = report;
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
        const isFinal = error.final === "token" || (error.final === "shape" && seen === undefined);
        if (once || isFinal) {
          screen.close();
          process.stderr.write(`breakwater: ${url.href} gave no status: ${harmless(error.message)}\n`);
          return EXIT.notRun;
        }
        screen.silent(error.message);
      }
      if (once) return EXIT.passed;
      await delay(Math.max(0, intervalMs - (performance.now() - beganMs)), undefined, { signal });
    }
  } catch (error) {
    if (signal.aborted) return EXIT.passed;
    throw error;
  } finally {
    screen.close();
    for (const each of ends) process.off(each, stop);
    process.stdout.off("close", stop);
  }
}

/** @throws NoAnswerError when what was answered has not the shape that it should have. */
function show(screen: Screen, report: StatusReport): void {
  try {
    screen.shows(report);
  } catch (error) {
    throw new NoAnswerError(`the status cannot be read (${error instanceof Error ? error.message : ""})`, "shape");
  }
}
