/** Texts in the cells of a terminal. */
import { harmless } from "../harmless.ts";

/** How a text looks; by number as ECMA-48 (SGR) has them. */
const LOOKS = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34 } as const;
export type Look = keyof typeof LOOKS;

/** Paints a text, or leaves it as it is. */
export type Paint = (look: Look | undefined, text: string) => string;

/** With colours, or without. */
export function paintIf(colors: boolean): Paint {
  return (look, text) =>
    !colors || look === undefined || text === "" ? text : `\u001B[${LOOKS[look]}m${text}\u001B[0m`;
}

/** Scripts whose characters take two cells (UAX #11: wide and fullwidth, the common blocks). */
const WIDE =
  /[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u;

function cellsOf(character: string): number {
  return WIDE.test(character) ? 2 : 1;
}

/** Cells that a text takes. */
export function cells(text: string): number {
  let sum = 0;
  for (const character of text) sum += cellsOf(character);
  return sum;
}

/** A harmless text of exactly so many cells: cut off with `…`, or filled up. */
export function fit(given: string, width: number, align: "left" | "right" = "left"): string {
  const text = cut(given, width);
  const rest = " ".repeat(Math.max(0, width - cells(text)));
  return align === "left" ? text + rest : rest + text;
}

/** A harmless text of at most so many cells. */
export function cut(given: string, width: number): string {
  const text = harmless(given);
  if (cells(text) <= width) return text;
  let shown = "";
  let used = 0;
  for (const character of text) {
    used += cellsOf(character);
    if (used > width - 1) break;
    shown += character;
  }
  return width > 0 ? `${shown}…` : "";
}
