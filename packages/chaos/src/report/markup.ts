/** HTML whose every inserted value is escaped, unless it is HTML itself. */

export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: text and numbers are escaped, lists are joined, nothing is nothing. */
export type Inserted = Markup | string | number | undefined | readonly (Markup | string)[];

/** Builds HTML; a value cannot leave its place. */
export function html(parts: TemplateStringsArray, ...values: readonly Inserted[]): Markup {
  return new Markup(parts.map((part, index) => part + (index < values.length ? inserted(values[index]) : "")).join(""));
}

function inserted(value: Inserted): string {
  if (value === undefined) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "object") return value.map(inserted).join("");
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Data for a script, as the text of an element: `</script>` and `<!--` cannot come up in it. */
export function scriptData(value: unknown): Markup {
  return new Markup(JSON.stringify(value).replaceAll("<", "\\u003c"));
}
