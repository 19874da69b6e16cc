/** Writes the same statement in other ways, and breaks statements in small ways. */
import type { Tape } from "./tape.ts";

const separators = [
  " ",
  "\n",
  "\t",
  "/**/",
  "/* ' */",
  '/* /* */ " */',
  "--\n",
  "-- ' $$ \n",
  "/*;*/",
  " \r\n",
  "/*+ hint */",
  "\f",
  "--(\r",
];

/** Writes single blanks of a text in other ways, and its words in other cases; leaves quoted parts alone. */
export function disguise(text: string, tape: Tape): string {
  const plain = tape.below(3) === 0;
  return text
    .split(/('(?:[^']|'')*'|"(?:[^"]|"")*"|\$q?\$.*?\$q?\$)/s)
    .map((piece, index) => {
      if (plain || index % 2 === 1) return piece;
      return piece.replace(/ |[a-z]+/g, (found) => {
        if (found === " ") return tape.rarely(3) ? tape.pick(separators) : " ";
        return tape.rarely(4) ? found.toUpperCase() : found;
      });
    })
    .join("");
}

/** Drops, doubles, moves and swaps tokens of a text. */
export function mutate(text: string, others: readonly string[], tape: Tape): string {
  const tokens = text.split(/(\s+)/);
  for (let changes = tape.below(4) + 1; changes > 0; changes--) {
    const at = tape.below(tokens.length);
    switch (tape.below(4)) {
      case 0:
        tokens.splice(at, 1);
        break;
      case 1:
        tokens.splice(at, 0, tokens[tape.below(tokens.length)] ?? "", " ");
        break;
      case 2:
        tokens[at] = tape.pick(others);
        break;
      default:
        tokens.splice(at, 0, " ", tape.pick(others), " ");
    }
  }
  return tokens.join("");
}
