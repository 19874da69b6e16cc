/** Splits a psql script into the texts that psql would send; skips its commands, variables' texts and COPY data. */
export function splitScript(script: string): string[] {
  const texts: string[] = [];
  let text = "";
  let copying = false;
  /** What ends the quoted part that the reading is inside of, if any. */
  let until = "";
  let depth = 0;
  let parentheses = 0;
  const finish = (): void => {
    if (text.trim() !== "") texts.push(text);
    copying = /^\s*copy\b[^;]*\bfrom\s+stdin/i.test(text.replace(/--.*\n/g, ""));
    text = "";
    parentheses = 0;
  };
  for (const line of script.split("\n")) {
    if (copying && depth === 0 && until === "" && text === "") {
      if (line === "\\.") copying = false;
      continue;
    }
    for (let at = 0; at < line.length; at++) {
      const char = line[at] as string;
      if (until !== "") {
        if (until === "e'" && char === "\\") {
          text += char + (line[++at] ?? "");
          continue;
        }
        const close = until === "e'" ? "'" : until;
        if (line.startsWith(close, at)) {
          text += close;
          at += close.length - 1;
          until = "";
        } else text += char;
        continue;
      }
      if (depth > 0) {
        if (line.startsWith("/*", at)) depth++;
        else if (line.startsWith("*/", at)) depth--;
        else {
          text += char;
          continue;
        }
        text += line.slice(at, at + 2);
        at++;
        continue;
      }
      if (line.startsWith("--", at)) {
        text += line.slice(at);
        break;
      }
      if (line.startsWith("/*", at)) {
        depth++;
        text += "/*";
        at++;
        continue;
      }
      const tag = char === "$" && !/[\w$]$/.test(text) ? /^\$(?:[A-Za-z_]\w*)?\$/.exec(line.slice(at))?.[0] : undefined;
      if (tag !== undefined) {
        until = tag;
        text += tag;
        at += tag.length - 1;
        continue;
      }
      if (char === "'") until = /(?:^|[^\w])e$/i.test(text) ? "e'" : "'";
      else if (char === '"') until = '"';
      else if (char === "(") parentheses++;
      else if (char === ")") parentheses--;
      else if (char === "\\") {
        // A command of psql's ends the line; `\g…` also sends what stands before it.
        if (/^\\(?:g|;|crosstabview|watch|bind|parse)/.test(line.slice(at))) finish();
        break;
      } else if (char === ";" && parentheses <= 0 && !/\batomic\b(?![\s\S]*\bend\s*$)/i.test(text)) {
        text += char;
        finish();
        continue;
      }
      text += char;
    }
    if (text !== "") text += "\n";
  }
  finish();
  return texts;
}
