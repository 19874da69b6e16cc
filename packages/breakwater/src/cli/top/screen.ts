/** Where `top` draws: a terminal, which it leaves as it was; lines for what reads along; JSON for programs. */
import type { StatusReport } from "../../status/report.ts";
import { frame } from "./frame.ts";
import { harmless, harmlessJson } from "../harmless.ts";
import { paintIf } from "./text.ts";

export interface Screen {
  /** There is news. */
  shows(report: StatusReport): void;
  /** There is no answer; what was last known stays. */
  silent(reason: string): void;
  /** Leaves everything as it was. Idempotent. */
  close(): void;
}

export interface ScreenOptions {
  readonly address: string;
  readonly once: boolean;
  readonly json: boolean;
}

/** Events in a picture that is printed once. */
const EVENTS = 10;
/** Size where nobody says it. */
const WIDTH = 100;
const HEIGHT = 24;
const ESC = "\u001B[";

/** The one that fits standard output. */
export function screenOf(options: ScreenOptions): Screen {
  const out = process.stdout;
  if (options.json) return lines((report) => `${harmlessJson(report)}\n`);
  const { NO_COLOR: noColor, TERM: term, COLUMNS: columns } = process.env;
  const isPlain = !out.isTTY || term === "dumb";
  const paint = paintIf(!isPlain && (noColor === undefined || noColor === ""));
  if (!isPlain && !options.once) return terminal(options.address, paint);
  const width = (out.isTTY ? out.columns : Number(columns)) || WIDTH;
  let last: number | undefined;
  return lines((report) => {
    // Each event stands in one picture only.
    const fresh = { ...report, databases: report.databases.map((each) => ({ ...each, events: since(each, last) })) };
    last = Math.max(last ?? 0, ...report.databases.flatMap(({ events }) => events.map(({ id }) => id)));
    const drawn = frame(fresh, { width, paint, address: options.address, events: EVENTS });
    return `${drawn.join("\n")}\n${options.once ? "" : "\n"}`;
  });
}

function since(
  { events }: StatusReport["databases"][number],
  id: number | undefined,
): StatusReport["databases"][number]["events"] {
  // A service that has begun anew counts from 1 again.
  const newest = events.at(-1)?.id ?? 0;
  return id === undefined || newest < id ? events : events.filter((event) => event.id > id);
}

/** One text below the other. */
function lines(textOf: (report: StatusReport) => string): Screen {
  let isSilent = false;
  return {
    shows(report) {
      isSilent = false;
      process.stdout.write(textOf(report));
    },
    silent(reason) {
      // Once, however long it lasts.
      if (!isSilent) process.stderr.write(`breakwater: no answer (${harmless(reason)}); trying again\n`);
      isSilent = true;
    },
    close() {},
  };
}

/** The whole terminal, on its second page. */
function terminal(address: string, paint: ReturnType<typeof paintIf>): Screen {
  const out = process.stdout;
  let report: StatusReport | undefined;
  let note: string | undefined = "connecting";
  let sinceText: string | undefined;
  let isOpen = true;
  const draw = (): void => {
    if (!isOpen) return;
    const options = { width: out.columns || WIDTH, height: out.rows || HEIGHT, paint, address, events: EVENTS };
    const drawn = frame(report, note === undefined ? options : { ...options, note });
    // Each line is written over the old one, so that nothing flickers.
    out.write(`${ESC}H${drawn.map((line) => `${line}${ESC}K`).join("\r\n")}${ESC}J`);
  };
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    out.off("resize", draw);
    process.off("exit", close);
    out.write(`${ESC}?7h${ESC}?25h${ESC}?1049l`);
  };
  // Where it is narrower than any picture, what is too much of a line is left out, and does not begin another.
  out.write(`${ESC}?1049h${ESC}?25l${ESC}?7l${ESC}H${ESC}2J`);
  out.on("resize", draw);
  process.on("exit", close);
  draw();
  return {
    shows(news) {
      [report, note, sinceText] = [news, undefined, undefined];
      draw();
    },
    silent(reason) {
      sinceText ??= new Date().toTimeString().slice(0, 8);
      note = `no answer since ${sinceText} (${reason}); trying again`;
      draw();
    },
    close,
  };
}
