/**
 * Colours, or none.
 */

export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

/** With `colours` false nothing is added to any text. */
export function paint(colours: boolean): Paint {
  const wrap =
    (on: number, off: number) =>
    (text: string): string =>
      colours ? `\u001B[${on}m${text}\u001B[${off}m` : text;
  return { bold: wrap(1, 22), dim: wrap(2, 22), red: wrap(31, 39), green: wrap(32, 39), yellow: wrap(33, 39) };
}

/** Whether colours are wanted there: by a terminal, unless NO_COLOR (no-color.org) is set to anything. */
export function wantsColours(output: { readonly isTTY?: boolean }): boolean {
  return output.isTTY === true && (process.env["NO_COLOR"] ?? "") === "";
}
