/**
 * Where a call came from: noted in a microsecond or two, written out only when somebody asks.
 */

/** Frames that are noted: those of the layers between the caller and the policy come first. */
const FRAMES = 40;

/** The faces that people call, and the readers of rows that they loop over; what comes after them is theirs. */
const FACE = /^ +at (?:async )?(?:\w*(?:Database|FacePool)\.\w+|(?:rowsOf|piecesOut)\.next) /;

/** Where this library is, by the place of this policy in it; somebody else's class may have the name of a face. */
const HOME = /\((.*[\\/])[^\\/]+[\\/](?:src|dist)[\\/]leak-watch[\\/]/;
const INSTALLED = /[\\/]node_modules[\\/]@?breakwater[\\/]/;

/** Notes the stack of whoever calls. Its text is made at the first look at `stack`. */
export function noteStack(): { readonly stack?: string } {
  const noted: { stack?: string } = {};
  const { stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = FRAMES;
  } catch {
    // Fixed for the whole process: so many frames there are.
  }
  Error.captureStackTrace(noted, noteStack);
  try {
    Error.stackTraceLimit = stackTraceLimit;
  } catch {
    // As above.
  }
  return noted;
}

/** The text of a noted stack from the caller of the face on, or all of it where there is none. */
export function callersOf(noted: { readonly stack?: string } | undefined): string | undefined {
  const lines = noted?.stack?.split("\n").filter((line) => line.startsWith("    at "));
  if (lines === undefined) return undefined;
  let from = lines.findIndex((line) => FACE.test(line)) + 1;
  const home = HOME.exec(lines[0] ?? "")?.[1];
  const isOurs = (line: string): boolean =>
    FACE.test(line) && (INSTALLED.test(line) || (home !== undefined && line.includes(home)));
  while (from > 0 && isOurs(lines[from] ?? "")) from += 1;
  const theirs = lines.slice(from);
  return (theirs.length === 0 ? lines : theirs).map((line) => line.trim()).join("\n");
}
