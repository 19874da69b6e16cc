/** The site, as people get it: built once, then followed link by link and opened in a real browser. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { deflateSync } from "node:zlib";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linksOf } from "../../site/links.ts";
import { packages, ROOT } from "../packages/tree.ts";
import { browserPath, NO_BROWSER, startBrowser } from "../support/browser.ts";
import { serve } from "./serve.ts";

let folder: string;
let site: string;
let said = "";
let status: number | null = null;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "breakwater-site-"));
  site = path.join(folder, "site");
  const build = spawn(process.execPath, [path.join(ROOT, "site/main.ts"), "--out", site]);
  for (const stream of [build.stdout, build.stderr]) stream.on("data", (text) => (said += String(text)));
  status = await new Promise((resolve) => build.on("close", resolve));
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("site", () => {
  it("is built without a complaint, a dead link, or anything from outside", () => {
    expect(said.split("\n").filter((line) => !line.startsWith("leads outside"))).toEqual([
      `the site is in ${site}`,
      "",
    ]);
    expect(status).toBe(0);
  });

  it("has a page for each entry point, guide, policy and package", () => {
    const entries = packages().flatMap(({ manifest }) =>
      Object.keys(manifest.exports).map((key) => manifest.name.replace("@breakwater/", "") + key.slice(1)),
    );
    const wanted = [
      ...entries.map((entry) => `api/${entry}.html`),
      ...packages().map((one) => `packages/${one.folder}.html`),
      "index.html",
      "modules.html",
      "guides/overload.html",
      "policies/hedge.html",
    ];
    expect(wanted.filter((page) => !existsSync(path.join(site, page)))).toEqual([]);
  });

  it("would tell links that lead nowhere, and what is loaded from outside", async () => {
    const planted = path.join(folder, "planted");
    await mkdir(path.join(planted, "assets"), { recursive: true });
    const navigation = deflateSync(JSON.stringify([{ text: "a", children: [{ text: "b", path: "lost.html" }] }]));
    await writeFile(path.join(planted, "assets/navigation.js"), `x = "${navigation.toString("base64")}"`);
    await writeFile(path.join(planted, "there.html"), '<h2 id="here">Here</h2>');
    const links = [
      "there.html#here",
      "there.html#nowhere",
      "nowhere.html",
      "/there.html",
      "#own",
      "assets",
      "https://example.org/",
    ];
    const anchors = links.map((link) => `<a class="x" href="${link}">a</a>`).join("\n");
    await writeFile(
      path.join(planted, "index.html"),
      `<link rel="stylesheet" href="https://example.org/font.css"><img src="lost.png">${anchors}`,
    );
    expect(linksOf(planted)).toEqual({
      dead: [
        "index.html: there.html#nowhere",
        "index.html: nowhere.html",
        "index.html: /there.html",
        "index.html: #own",
        "index.html: assets",
        "index.html: lost.png",
        "index.html: lost.html",
      ],
      external: ["https://example.org/"],
      loaded: ["https://example.org/font.css"],
    });
  });
});

describe.skipIf(browserPath === undefined)(
  `site in a browser${browserPath === undefined ? ` (${NO_BROWSER})` : ""}`,
  () => {
    let browser: Browser;
    let server: Awaited<ReturnType<typeof serve>>;
    let axe: string;

    beforeAll(async () => {
      [browser, server] = await Promise.all([startBrowser(), serve(site)]);
      axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    });
    afterAll(async () => {
      await Promise.all([browser?.close(), server?.close()]);
    });

    /** Opens a page; what goes wrong in it, or is asked for elsewhere, is kept. */
    async function opened(address: string, options: BrowserContextOptions = {}) {
      const context = await browser.newContext({ viewport: { width: 1300, height: 900 }, ...options });
      const page = await context.newPage();
      const wrong: string[] = [];
      page.on("pageerror", (error) => wrong.push(String(error)));
      page.on("console", (message) => wrong.push(message.text()));
      page.on("requestfailed", (request) => wrong.push(`failed: ${request.url()}`));
      page.on("response", (response) => {
        if (response.status() >= 400) wrong.push(`${response.status()}: ${response.url()}`);
      });
      const base = address.startsWith("file:") ? pathToFileURL(site).href : server.url;
      page.on("request", (request) => {
        if (!request.url().startsWith(base) && !request.url().startsWith("data:"))
          wrong.push(`asked for ${request.url()}`);
      });
      await page.goto(address);
      // The navigation is the last that a page puts in its place.
      await page.locator("#tsd-nav-container > li").first().waitFor({ state: "attached" });
      return { page, wrong, end: () => context.close() };
    }

    const PAGES = [
      ["the front page", "index.html", "Breakwater"],
      ["a guide", "guides/overload.html", "Overload"],
      ["a policy", "policies/retry.html", "retry"],
      ["an export", "api/policies/interfaces/RetryOptions.html", "Interface RetryOptions"],
      ["the list of packages", "modules.html", "API reference"],
      ["an example", "examples/preset/main.ts.html", "examples/preset/main.ts"],
    ] as const;

    const NARROW = [
      ...PAGES.map(([name, address]) => ({ name, address })),
      { name: "a list of long names", address: "api/breakwater.html" },
      { name: "a long path", address: "api/chaos/containers/interfaces/ContainersOptions.html" },
    ];

    it.each(PAGES)(
      "shows %s, for everybody",
      async (_name, address, title) => {
        const { page, wrong, end } = await opened(server.url + address);
        expect((await page.locator("h1").allTextContents()).map((text) => text.trim())).toEqual([title]);
        await page.evaluate(axe);
        const schemes = [
          ["light", "axe.run({ resultTypes: ['violations'] })"],
          ["dark", "axe.run({ resultTypes: ['violations'], runOnly: ['color-contrast', 'link-in-text-block'] })"],
        ] as const;
        for (const [colorScheme, run] of schemes) {
          await page.emulateMedia({ colorScheme });
          const found = await page.evaluate<{
            violations: { id: string; impact: string; nodes: { html: string }[] }[];
          }>(run);
          const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
          expect(serious.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes[0]?.html}`)).toEqual([]);
        }
        expect(wrong).toEqual([]);
        await end();
      },
      120_000,
    );

    it.each(NARROW)("fits $name on a narrow screen", async ({ address }) => {
      const { page, wrong, end } = await opened(server.url + address, { viewport: { width: 400, height: 800 } });
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(400);
      expect(wrong).toEqual([]);
      await end();
    });

    it("finds hedge", async () => {
      const { page, wrong, end } = await opened(`${server.url}index.html`);
      await page.locator("#tsd-search-trigger").click();
      await page.locator("#tsd-search-input").fill("hedge");
      const found = page.locator("#tsd-search-results a");
      await found.first().waitFor();
      const pages = await found.evaluateAll((links) => links.map((link) => (link as unknown as { href: string }).href));
      expect(pages.map((one) => one.slice(server.url.length))).toContain("api/policies/functions/hedge.html");
      await found.first().click();
      await page.locator("h1", { hasText: /hedge/i }).waitFor();
      expect(wrong).toEqual([]);
      await end();
    });

    it("can be read without a server", async () => {
      const { page, wrong, end } = await opened(pathToFileURL(path.join(site, "index.html")).href);
      await page.getByRole("link", { name: "API reference" }).click();
      await page.locator("h1", { hasText: "API reference" }).waitFor();
      // A browser lets no file show a part of another: a script puts the icons in their place.
      expect(wrong.filter((one) => !one.includes("/assets/icons.svg"))).toEqual([]);
      await end();
    });
  },
);
