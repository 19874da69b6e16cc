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
  let text = "";
  for (const [index, part] of tight(parts).entries()) {
    text += part + (index < values.length ? inserted(values[index]) : "");
  }
  return new Markup(text);
}

const tightened = new WeakMap<TemplateStringsArray, readonly string[]>();

/** Without the indentation of the source: in a report of many runs it would be half of the page. */
function tight(parts: TemplateStringsArray): readonly string[] {
  let found = tightened.get(parts);
  if (found === undefined) {
    found = parts.map((part) => part.replace(/\n\s+/g, "\n"));
    tightened.set(parts, found);
  }
  return found;
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
