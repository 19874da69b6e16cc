/**
 * The page: one answer with everything in it, whose policy allows its own script and style by their hashes and nothing else. What it
 * shows it asks for; no figure is put into the text.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

/** The text, and what a browser may do with it. */
export interface Page {
  readonly html: string;
  readonly policy: string;
}

/** Reads the page's parts, which stand beside the code in the package. */
export async function loadPage(): Promise<Page> {
  const [style, script, body] = await Promise.all(
    ["status.css", "status.js", "status.html"].map((name) =>
      readFile(new URL(`../../page/${name}`, import.meta.url), "utf8"),
    ),
  );
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Breakwater</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
${body}<script>${script}</script>
</body>
</html>
`;
  const policy = [
    "default-src 'none'",
    `style-src '${hash(style)}'`,
    `script-src '${hash(script)}'`,
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; ");
  return { html, policy };
}

function hash(text = ""): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
