/** Builds the site into a folder. */
import { rm } from "node:fs/promises";
import { readModel } from "./api.ts";
import { linksOf, type Links } from "./links.ts";
import { useTheme } from "./theme.ts";
import { undocumented } from "./undocumented.ts";

/** What was built. */
export interface Built {
  readonly links: Links;
  /** Public exports without a docstring, one line each. */
  readonly undocumented: readonly string[];
  /** What the writer complained of: links in pages and docstrings that lead nowhere, languages that it does not know. */
  readonly warnings: readonly string[];
}

/** Builds the site; what was in the folder is lost. @throws Error when the sources cannot be read. */
export async function buildSite(folder: string): Promise<Built> {
  await rm(folder, { recursive: true, force: true });
  const { app, project, warnings } = await readModel();
  useTheme(app, project);
  app.validate(project);
  await app.generateDocs(project, folder);
  return { links: linksOf(folder), undocumented: undocumented(project), warnings };
}
