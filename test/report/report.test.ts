/** The report, as people open it: a file, in a real browser. */
import { reportHtml, writeReport } from "@breakwater/chaos";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { browserPath, NO_BROWSER, startBrowser } from "../support/browser.ts";
import { run, violated } from "./runs.ts";

/** What of a browser's canvas is looked at. */
interface Canvas {
  readonly width: number;
  readonly height: number;
  getContext(kind: "2d"): {
    getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
  };
}

const BACKGROUND = "getComputedStyle(document.body).backgroundColor";

describe("report", () => {
  it("refuses to be made of nothing", async () => {
    await expect(writeReport([], "nowhere.html")).rejects.toThrow(/records must be at least one run/);
  });

  it("stays as small as a browser likes it, however many runs it holds", async () => {
    const one = violated("bare");
    const many = { ...one, violations: Array.from({ length: 20 }, () => one.violations).flat() };
    const [short, long] = [await reportHtml([many]), await reportHtml(Array.from({ length: 200 }, () => many))];
    expect(short.match(/<details/g)!.length).toBeGreaterThan(40);
    expect(long.length).toBeLessThan(8_000_000);
    expect(long).toContain("further violations were counted");
  });
});

describe.skipIf(browserPath === undefined)(
  `report in a browser${browserPath === undefined ? ` (${NO_BROWSER})` : ""}`,
  () => {
    let browser: Browser;
    let folder: string;
    let files = 0;

    beforeAll(async () => {
      folder = await mkdtemp(path.join(os.tmpdir(), "breakwater-report-"));
      browser = await startBrowser();
    });
    afterAll(async () => {
      await browser.close();
      await rm(folder, { recursive: true, force: true });
    });

    /** Opens the report of some runs; what goes wrong in the page, or leaves it, is a failure. */
    async function opened(records: Parameters<typeof writeReport>[0], options: BrowserContextOptions = {}) {
      const file = path.join(folder, `${++files}.html`);
      await writeReport(records, file);
      const context = await browser.newContext({ viewport: { width: 1300, height: 900 }, ...options });
      const page = await context.newPage();
      const wrong: string[] = [];
      page.on("pageerror", (error) => wrong.push(String(error)));
      page.on("console", (message) => wrong.push(message.text()));
      page.on("request", (request) => {
        if (request.url() !== pathToFileURL(file).href) wrong.push(`asked for ${request.url()}`);
      });
      await page.goto(pathToFileURL(file).href);
      return { page, wrong, file, end: () => context.close() };
    }

    /** Pixels of a chart that have a colour of their own. */
    const inked = (page: Page, chart: number): Promise<number> =>
      page
        .locator(".run:not([hidden]) .chart canvas")
        .nth(chart)
        .evaluate((node) => {
          const canvas = node as unknown as Canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let at = 3; at < data.length; at += 4) if (data[at] !== 0) count += 1;
          return count;
        });

    it("draws throughput and latency of two runs side by side, without any network", async () => {
      const { page, wrong, end } = await opened([run("breakwater"), violated("bare")]);
      expect(await page.locator(".run:not([hidden])").count()).toBe(2);
      const [one, other] = await Promise.all([0, 1].map((n) => page.locator(".run").nth(n).boundingBox()));
      expect(one?.y).toBe(other?.y);
      expect(one!.x + one!.width).toBeLessThanOrEqual(other!.x);
      for (const chart of [0, 1, 2, 3]) expect(await inked(page, chart)).toBeGreaterThan(1_000);
      expect(wrong).toEqual([]);
      await end();
    });

    it("shows every violation with its operations, and lets no text out of its place", async () => {
      const { page, wrong, end } = await opened([violated("bare")]);
      expect(await page.title()).toBe("Chaos: failover");
      expect(await page.locator(".violations details").count()).toBe(2);
      const first = page.locator(".violations details").first();
      expect(await first.locator("tbody tr").count()).toBe(2);
      expect(await first.locator("tbody tr").first().locator("td").nth(2).textContent()).toContain("</script>");
      expect(await page.getByText("8 further violations were counted").count()).toBe(1);
      expect(await page.locator("img, .run script").count()).toBe(0);
      expect(wrong).toEqual([]);
      await end();
    });

    it("marks faults as bands, and says on the keyboard what stood at a moment", async () => {
      const { page, end } = await opened([run("breakwater")]);
      const calm = await opened([run("breakwater", { faults: [] })]);
      expect(await inked(page, 0)).toBeGreaterThan((await inked(calm.page, 0)) * 1.5);
      await calm.end();
      await page.locator(".chart").first().focus();
      await page.keyboard.press("Home");
      for (let step = 0; step < 16; step += 1) await page.keyboard.press("ArrowRight");
      expect(await page.getByRole("status").textContent()).toBe(
        "3.2 s, answered 0.0, failed 0.0, unknown 10.0, kill on n1, dropReply on n2",
      );
      await page.keyboard.press("End");
      expect(await page.getByRole("status").textContent()).toContain("7.8 s, answered 200.0");
      await end();
    });

    it("shows nodes and breakers as lanes whose bars have their place in time", async () => {
      const { page, end } = await opened([run("breakwater")]);
      const lane = page.getByRole("list", { name: "node n1" });
      const bars = await lane.getByRole("listitem").all();
      const [whole, up, down] = await Promise.all([lane, ...bars].map((one) => one.boundingBox()));
      expect(await bars[1]!.textContent()).toContain("primary, stopped");
      expect(up!.width / whole!.width).toBeCloseTo(3 / 8, 2);
      expect((down!.x - whole!.x) / whole!.width).toBeCloseTo(3 / 8, 2);
      expect(await page.getByRole("list", { name: "breaker n1" }).count()).toBe(1);
      await end();
    });

    it("lets two of many runs be chosen", async () => {
      const { page, wrong, end } = await opened([run("one"), run("two", { seed: 78 }), violated("three")]);
      // The same dice for another subject stand beside the first.
      expect(await page.locator(".run:not([hidden]) h2").allTextContents()).toEqual(["one passed", "three violated"]);
      await page.getByLabel("Left").selectOption("2");
      await page.getByLabel("Right").selectOption("1");
      expect(await page.locator(".run:not([hidden]) h2").allTextContents()).toEqual(["two passed", "three violated"]);
      const [two, three] = await Promise.all([1, 2].map((n) => page.locator(".run").nth(n).boundingBox()));
      expect(three!.x).toBeLessThan(two!.x);
      await page.getByRole("link", { name: /two/ }).click();
      expect(await page.locator(".run:not([hidden]) h2").allTextContents()).toEqual(["two passed"]);
      expect(wrong).toEqual([]);
      await end();
    });

    it("follows the system's light and dark, and its own button", async () => {
      const { page, end } = await opened([run("breakwater")], { colorScheme: "dark" });
      const back = (): Promise<string> => page.evaluate<string>(BACKGROUND);
      const dark = await back();
      await page.getByRole("button", { name: "Dark or light" }).click();
      expect(await back()).not.toBe(dark);
      await end();
      const light = await opened([run("breakwater")], { colorScheme: "light" });
      expect(await light.page.evaluate<string>(BACKGROUND)).toBe("rgb(255, 255, 255)");
      await light.end();
    });

    it.each(["light", "dark"] as const)("has nothing that axe objects to when %s", async (colorScheme) => {
      const { page, end } = await opened([run("breakwater"), violated("bare"), run("third")], {
        colorScheme,
        bypassCSP: true,
      });
      await page.addScriptTag({ path: createRequire(import.meta.url).resolve("axe-core/axe.min.js") });
      const found = await page.evaluate(async () => {
        const { axe } = globalThis as unknown as {
          axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
        };
        return (await axe.run()).violations.map(({ id, nodes }) => [
          id,
          ...nodes.map((node) => node.html.slice(0, 200)),
        ]);
      });
      expect(found).toEqual([]);
      await end();
    });

    it("can be read without its script", async () => {
      const { page, end } = await opened([run("breakwater"), violated("bare")], { javaScriptEnabled: false });
      expect(await page.locator(".run").count()).toBe(2);
      expect(await page.getByRole("table", { name: "Figures" }).first().isVisible()).toBe(true);
      await end();
    });

    it("holds an empty run and one that broke before it began", async () => {
      const empty = run("none", {
        samples: [],
        latencies: {},
        faults: [],
        nodes: [],
        breakers: [],
        durationMs: 0,
        verdict: "broken",
        problem: "no servers",
      });
      const { page, wrong, file, end } = await opened([empty]);
      expect(await page.getByText("no servers").isVisible()).toBe(true);
      expect(wrong).toEqual([]);
      expect(await readFile(file, "utf8")).not.toMatch(/(?:src|href)="http/);
      await end();
    });
  },
);
