/** A real stack, through a failover: what the figures and the page say of it, and what can be done there. */
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { type Cluster, startCluster } from "@breakwater/chaos";
import { breakwater, type BreakwaterNode, type Database } from "breakwater";
import { type NodeReport, serveStatus, type StatusReport, type StatusServer } from "breakwater/status";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../packages/tree.ts";
import { browserPath, NO_BROWSER, startBrowser } from "../support/browser.ts";
import { until } from "../support/wait.ts";
import { command } from "../scenarios/command.ts";

const TOKEN = "correct-horse-battery";
/** Would leave its place in a page that is made of texts. */
const HOSTILE = `<img src=x onerror="document.title='taken'"><script>document.title='taken'</script>`;
const PICTURES = path.join(ROOT, ".artifacts", "status");

let cluster: Cluster;
let db: Database;
let server: StatusServer;
const load = { stopped: false, done: Promise.resolve() as Promise<unknown>, calls: 0 };

beforeAll(async () => {
  cluster = await startCluster({ replicas: 2, synchronous: true });
  const [one, ...others] = cluster.nodes.map(({ connectionString }, index): BreakwaterNode => ({
    source: connectionString,
    name: `db${index + 1}`,
  }));
  db = breakwater({ name: "shop", primary: one!, replicas: others, circuitBreaker: { breakMs: 200 } });
  await db.query("CREATE TABLE books (id serial PRIMARY KEY, title text)");
  server = await serveStatus(db, { token: TOKEN });
  load.done = Promise.all(Array.from({ length: 3 }, call));
});
afterAll(async () => {
  load.stopped = true;
  await load.done;
  await server?.close();
  await db?.close({ drainMs: 100 });
  await cluster?.close();
});

async function call(): Promise<void> {
  while (!load.stopped) {
    await db.query("INSERT INTO books (title) VALUES ($1)", ["x"], { exactlyOnce: true }).catch(() => undefined);
    await db.query("SELECT count(*) FROM books, pg_sleep(0.01)").catch(() => undefined);
    load.calls += 1;
    // A refusal takes no time, and must not take all of it.
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function report(): Promise<StatusReport["databases"][number]> {
  const answer = await fetch(`${server.url}status.json`);
  return ((await answer.json()) as StatusReport).databases[0]!;
}

async function node(name: string): Promise<NodeReport> {
  return (await report()).nodes.find((each) => each.name === name)!;
}

async function act(body: object): Promise<void> {
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  const answer = await fetch(`${server.url}actions`, { method: "POST", headers, body: JSON.stringify(body) });
  expect([await answer.text(), answer.status]).toEqual(['{"ok":true}', 200]);
}

/** The node that is the primary now, as the stack calls it. */
function primaryName(): string {
  return `db${cluster.nodes.indexOf(cluster.primary) + 1}`;
}

describe("the status of a stack", () => {
  it("tells nodes, pools, latencies and counters", async () => {
    await until("every node to be observed", async () => (await report()).status === "ok");
    await until("some calls on each node", async () => (await report()).nodes.every(({ recent }) => recent.calls > 5));
    const { name, stack, nodes, pool, recent, total, controls } = await report();
    expect([name, stack]).toEqual(["shop", ["timeout", "retry", "commit-resolution", "router"]]);
    expect(nodes.map((each) => [each.name, each.role, each.state, each.breaker, each.weight])).toEqual([
      ["db1", "primary", "up", "closed", 1],
      ["db2", "replica", "up", "closed", 1],
      ["db3", "replica", "up", "closed", 1],
    ]);
    expect(nodes.map(({ lag }) => lag === null)).toEqual([true, false, false]);
    expect(pool.max).toBe(30);
    expect(pool.total).toBe(nodes.reduce((sum, each) => sum + each.pool.total, 0));
    const { latency } = nodes[1]!.recent;
    expect(latency.p50).toBeGreaterThan(0);
    expect(latency.p50).toBeLessThanOrEqual(latency.p95);
    expect(latency.p95).toBeLessThanOrEqual(latency.p99);
    expect(recent.callsPerSecond).toBeGreaterThan(0);
    expect(total.calls).toBeGreaterThanOrEqual(recent.calls);
    expect(controls.map((each) => each.name)).toContain("db2/circuit-breaker");
    // Of where the nodes are it names hosts, and of who asks there nothing.
    const text = JSON.stringify(await report());
    expect(text).not.toContain("postgres://");
    expect(text).not.toMatch(/INSERT|SELECT|books/);
  });

  it("follows a drain, and its end", async () => {
    await act({ control: "router", action: "drain", values: ["db3"] });
    expect((await node("db3")).drained).toBe(true);
    await until("its last call to end", async () => (await node("db3")).pool.active === 0);
    const before = (await node("db3")).total.calls;
    const calls = load.calls;
    await until("calls elsewhere", () => load.calls > calls + 10);
    expect((await node("db3")).total.calls).toBe(before);
    await act({ control: "router", action: "resume", values: ["db3"] });
    expect((await node("db3")).drained).toBe(false);
    await until("calls there again", async () => (await node("db3")).total.calls > before);
    await act({ control: "router", action: "weigh", values: ["db3", 2] });
    expect((await node("db3")).weight).toBe(2);
  });

  it("refuses a node that is not there", async () => {
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
    const body = JSON.stringify({ control: "router", action: "drain", values: ["db9"] });
    const answer = await fetch(`${server.url}actions`, { method: "POST", headers, body });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringMatching(/db1, db2, db3/)]);
  });

  it("follows a breaker that is isolated, and put back", async () => {
    await act({ control: "db2/circuit-breaker", action: "isolate" });
    expect((await node("db2")).breaker).toBe("isolated");
    expect((await report()).status).toBe("degraded");
    const { events } = await report();
    expect(events.filter(({ name }) => name === "circuit-breaker:isolated").map(({ text }) => text)).toEqual([
      "node db2",
    ]);
    await act({ control: "db2/circuit-breaker", action: "reset" });
    expect((await node("db2")).breaker).toBe("closed");
  });

  describe.skipIf(browserPath === undefined)(
    `on its page${browserPath === undefined ? ` (${NO_BROWSER})` : ""}`,
    () => {
      let browser: Browser;

      beforeAll(async () => {
        mkdirSync(PICTURES, { recursive: true });
        browser = await startBrowser();
      });
      afterAll(() => browser.close());

      /** Opens it; what goes wrong there, or leaves for elsewhere, is a failure. */
      async function opened(options: BrowserContextOptions = {}) {
        const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
        const page = await context.newPage();
        const wrong: string[] = [];
        page.on("pageerror", (error) => wrong.push(String(error)));
        page.on("console", (message) => wrong.push(message.text()));
        page.on("request", (request) => {
          if (!request.url().startsWith(server.url) && !request.url().startsWith("data:")) wrong.push(request.url());
        });
        await page.goto(server.url);
        await row(page, "db2").waitFor();
        return { page, wrong, end: () => context.close() };
      }

      const row = (page: Page, name: string) =>
        page.locator(".node").filter({ has: page.getByRole("heading", { name, exact: true }) });
      const badge = (page: Page, name: string, word: string) => row(page, name).getByText(word, { exact: true });
      const overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

      async function unlock(page: Page): Promise<void> {
        // By the keyboard alone.
        await page.getByLabel("Token").focus();
        await page.keyboard.type(TOKEN);
        await page.keyboard.press("Enter");
        await page.getByRole("button", { name: "Lock", exact: true }).waitFor();
      }

      it("shows it without any other request, and lets no text out of its place", async () => {
        const { page, wrong, end } = await opened();
        db.pool.events.emit("router:node-up", { pool: "shop", node: HOSTILE });
        await page.getByText(`node ${HOSTILE}`).waitFor();
        expect(await page.title()).toContain("shop");
        expect(await page.locator("img, main script").count()).toBe(0);
        await badge(page, "db1", "primary").waitFor();
        expect(await row(page, "db1").getByRole("button").count()).toBe(0);
        await page.getByText("Policies and their counters").click();
        await page.getByRole("heading", { name: "db1 circuit-breaker" }).waitFor();
        expect(wrong).toEqual([]);
        await end();
      });

      it("isolates, drains and changes limits for who has the token, and for nobody else", async () => {
        const { page, wrong, end } = await opened();
        await page.getByLabel("Token").fill("wrong-wrong-wrong-wrong");
        await page.getByRole("button", { name: "Unlock" }).click();
        await page.getByRole("button", { name: "Drain db3" }).click();
        await page.getByText("Not done: the token is wrong").waitFor();
        expect((await node("db3")).drained).toBe(false);
        await unlock(page);
        const press = async (name: string): Promise<void> => {
          await page.getByRole("button", { name }).focus();
          await page.keyboard.press("Enter");
        };
        await press("Drain db3");
        await badge(page, "db3", "drained").waitFor();
        expect((await node("db3")).drained).toBe(true);
        await press("Resume db3");
        await badge(page, "db3", "drained").waitFor({ state: "detached" });
        await press("Isolate db2");
        await badge(page, "db2", "breaker isolated").waitFor();
        await press("Put back db2");
        await badge(page, "db2", "breaker closed").waitFor();
        await page.getByText("Change limits").click();
        const form = page.locator("form").filter({ has: page.getByRole("heading", { name: "retry", exact: true }) });
        await form.getByLabel("maxRetries").fill("7");
        await form.getByRole("button", { name: "Change retry" }).click();
        await until("the limit", () => db.controls.get("retry").options()["maxRetries"] === 7);
        await form.getByLabel("maxRetries").fill("-1");
        await form.getByRole("button", { name: "Change retry" }).click();
        await page.getByText(/Not done: .*maxRetries/).waitFor();
        await page.getByRole("button", { name: "Lock", exact: true }).click();
        await row(page, "db3").getByRole("button").first().waitFor({ state: "hidden" });
        // A refused request is told in the console by the browser itself.
        expect(wrong.filter((line) => !/status of 40[01]/.test(line))).toEqual([]);
        await end();
      });

      it("has nothing that axe objects to, light or dark", async () => {
        const { page, end } = await opened({ bypassCSP: true, reducedMotion: "reduce" });
        await unlock(page);
        await row(page, "db2").getByRole("button").first().waitFor();
        const fold = async (): Promise<void> => {
          for (const name of ["Policies and their counters", "Change limits"]) await page.getByText(name).click();
        };
        await page.addScriptTag({ path: createRequire(import.meta.url).resolve("axe-core/axe.min.js") });
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          await page.screenshot({ path: path.join(PICTURES, `${colorScheme}.png`), fullPage: true });
          await fold();
          const found = await page.evaluate(async () => {
            const { axe } = globalThis as unknown as {
              axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
            };
            const { violations } = await axe.run();
            return violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html.slice(0, 200))]);
          });
          expect([colorScheme, found]).toEqual([colorScheme, []]);
          await fold();
        }
        await end();
      });

      it("needs no sideways scrolling, however narrow", async () => {
        const { page, end } = await opened({ viewport: { width: 400, height: 800 } });
        await unlock(page);
        for (const name of ["Policies and their counters", "Change limits"]) await page.getByText(name).click();
        for (const width of [400, 320]) {
          await page.setViewportSize({ width, height: 800 });
          expect([width, await page.evaluate(overflow)]).toEqual([width, 0]);
          await page.screenshot({ path: path.join(PICTURES, `${width}px.png`), fullPage: true });
        }
        await end();
      });

      it("asks once a second, and nothing while paused", async () => {
        const context = await browser.newContext();
        const page = await context.newPage();
        let asked = 0;
        page.on("request", (request) => (asked += request.url().endsWith("status.json") ? 1 : 0));
        const live = page.getByText(/^live/);
        await page.clock.install();
        await page.goto(server.url);
        await live.waitFor();
        const once = asked;
        await page.clock.fastForward(1_001);
        await until("the next question", () => asked > once);
        await page.getByRole("button", { name: "Pause" }).click();
        await page.getByText(/^paused/).waitFor();
        const before = asked;
        await page.clock.fastForward(60_000);
        await page.clock.fastForward(60_000);
        expect(await page.evaluate("1")).toBe(1);
        expect(asked).toBe(before);
        await page.getByRole("button", { name: "Pause" }).click();
        await live.waitFor();
        expect(asked).toBeGreaterThan(before);
        await context.close();
      });

      it("follows a failover, and a server that goes away and comes back", async () => {
        const { page, end } = await opened();
        await cluster.failover();
        await badge(page, primaryName(), "primary").waitFor();
        await page.getByText("router:role-changed").first().waitFor();
        expect(await page.getByRole("status").textContent()).not.toBe("");
        await page.screenshot({ path: path.join(PICTURES, "failover.png"), fullPage: true });
        const { port } = server;
        await server.close();
        await page.getByText("no answer").waitFor();
        server = await serveStatus(db, { port, token: TOKEN });
        await page.getByText(/^live/).waitFor();
        await end();
      });
    },
  );

  it("follows a failover", async () => {
    if (cluster.primary === cluster.nodes[0]) await cluster.failover();
    const successor = primaryName();
    await until("the new primary", async () => (await node(successor)).role === "primary");
    await until("the old one to be seen to be gone", async () => (await node("db1")).state === "down");
    const now = await report();
    expect(now.status).toBe("degraded");
    expect(now.nodes.filter(({ role }) => role === "primary").map(({ name }) => name)).toEqual([successor]);
    const before = (await node(successor)).total.calls;
    await until("writes there", async () => (await node(successor)).total.calls > before + 5);
  });

  it("is what breakwater top shows", async () => {
    const { code, out, error } = await command(ROOT, "top", server.url, "--once");
    expect([code, error]).toEqual([0, ""]);
    expect(out).toMatch(/^shop degraded$/m);
    expect(out).toMatch(/^db1 .* down /m);
    expect(out).toMatch(/^db[23] .*primary up +closed/m);
  });
});
