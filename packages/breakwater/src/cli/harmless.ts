/** Texts of servers on their way to a terminal: nothing in them may steer it, hide, or turn the writing around. */

/** With `?` for each such character. */
export function harmless(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
}

/** A value as JSON, with such characters written as numbers: `JSON.stringify` leaves some of them. */
export function harmlessJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    character === "\n" ? character : character.replaceAll(/[^]/g, numbered),
  );
}

function numbered(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
