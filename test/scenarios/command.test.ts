import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { RunRecord } from "@breakwater/chaos";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packages, ROOT } from "../packages/tree.ts";
import { alive } from "../support/processes.ts";
import { until } from "../support/wait.ts";
import { command, start } from "./command.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "breakwater-command-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function file(name: string): string {
  return path.join(folder, name);
}

async function records(name: string): Promise<RunRecord[]> {
  return JSON.parse(await readFile(file(name), "utf8")) as RunRecord[];
}

/** The promise: so long after the command was killed, its servers are gone. */
const GONE_MS = 5_000;

const STILL = `name: still
cluster: { replicas: 0 }
workload: { callers: 2 }
steps:
  - until: { acknowledged: 5 }
  - wait: 60s
`;

/** COMMITs that wait at the old server when it is taken out must not be acknowledged later. */
const MOVED = `name: moved
cluster: { replicas: 1, synchronous: true }
service: { nodes: [n1] }
steps:
  - until: { acknowledged: 100 }
  - failover: { kill: none }
  - names: [n2]
  - until: { written: 20, within: 4s, optional: true }
  - sql: { on: n1, text: ALTER SYSTEM SET synchronous_standby_names = '' }
  - sql: { on: n1, text: SELECT pg_reload_conf() }
  - wait: 500
expect: { failed: 0 }
`;

/** A module that tells which server it was given. */
const TELLTALE = `
import { appendFileSync } from "node:fs";
import { barePool } from "@breakwater/chaos";
export async function subject(target) {
  const bare = barePool(target);
  return {
    name: "telltale",
    async prepare(ask) {
      const rows = await ask("SELECT (regexp_split_to_array(pg_read_file('postmaster.pid'), '\\n'))[1] AS pid");
      appendFileSync("pids", rows[0].pid + "\\n");
    },
    insert: (id) => bare.insert(id, "one"),
    close: () => bare.close(),
  };
}
`;

describe("breakwater", () => {
  it("says what it is and what it can", async () => {
    const manifest = packages().find((one) => one.folder === "breakwater")!.manifest as unknown as { version: string };
    expect(await command(folder, "--version")).toEqual({ code: 0, out: `${manifest.version}\n`, error: "" });
    expect((await command(folder, "--help")).out).toContain("breakwater chaos run SCENARIO");
    expect((await command(folder, "chaos", "run", "--help")).out).toContain("--against");
    const listed = await command(folder, "chaos", "list");
    expect(listed.code).toBe(0);
    expect(listed.out.trimEnd().split("\n")).toHaveLength(11);
    expect(listed.out).toMatch(/^reply-loss +Statements are done/m);
  });

  it.each<readonly [string, readonly string[], string]>([
    ["no command", [], "breakwater chaos list"],
    ["an unknown command", ["kaos"], 'there is no command "kaos"'],
    ["an unknown command of chaos", ["chaos", "walk"], 'there is no command "chaos walk"'],
    ["no scenario", ["chaos", "run"], "chaos run needs a scenario"],
    ["an unknown scenario", ["chaos", "run", "failovr"], "did you mean failover?"],
    ["an unknown option", ["chaos", "run", "failover", "--sed", "3"], "--sed"],
    ["a bad seed", ["chaos", "run", "failover", "--seed", "x"], "--seed must be a whole number from 0 to 4294967295"],
    ["a bad count", ["chaos", "run", "failover", "--seeds", "0"], "--seeds must be a whole number from 1 to 10000"],
    ["a file that is not there", ["chaos", "run", "nowhere.yaml"], "no such file"],
    ["a module that is not there", ["chaos", "run", "failover", "--against", "./nowhere.js"], "--against ./nowhere.js"],
    ["a replay without a seed", ["chaos", "replay"], "chaos replay needs the seed"],
    ["a replay of nothing", ["chaos", "replay", "5"], "no run with the seed 5 is kept"],
  ])("ends with 2 for %s", async (_, args, message) => {
    const { code, error, out } = await command(folder, ...args);
    expect(error).toContain(message);
    expect(error).not.toContain("    at ");
    expect([code, out]).toEqual([2, ""]);
  });

  it("ends with 2 for a bad scenario, and says where it is bad", async () => {
    await writeFile(file("bad.yaml"), "name: bad\nsteps:\n  - wiat: 5\n  - until: { acknowledged: none }\n");
    await writeFile(file("bad.mjs"), "export const nothing = 1;\n");
    const { code, error } = await command(folder, "chaos", "run", "bad.yaml");
    expect(code).toBe(2);
    expect(error).toContain("bad.yaml:3:5: steps[0].wiat: expected one of the keys wait, until");
    expect(error).toContain("bad.yaml:4:28: steps[1].until.acknowledged: expected a whole number from 1 to 1000000");
    const module = await command(folder, "chaos", "run", "failover", "--against", "./bad.mjs");
    expect([module.code, module.error]).toEqual([
      2,
      expect.stringContaining('expected an exported function "subject" or "default", found nothing'),
    ]);
  });

  it("is not kept by what others have left open, and tells of it", async () => {
    await writeFile(file("open.mjs"), "setInterval(() => {}, 1_000);\n");
    const { code, error } = await command(folder, "chaos", "run", "failover", "--against", "./open.mjs");
    expect([code, error]).toEqual([2, expect.stringContaining("ended by force, as something was left open: Timeout")]);
  });

  it("passes what passes, fails what fails, writes both down, and replays it", async () => {
    const run = ["chaos", "run", "reply-loss", "--seed", "7"];
    const good = await command(folder, ...run, "--json", "out/good.json", "--junit", "out/good.xml");
    expect(good.out).toContain("PASSED reply-loss, breakwater, seed 7");
    expect([good.code, good.error]).toEqual([0, ""]);
    const [passed] = await records("out/good.json");
    expect(passed).toMatchObject({
      scenario: "reply-loss",
      seed: 7,
      subject: "breakwater",
      verdict: "passed",
      violations: [],
      connectionsLeft: 0,
      totals: { failed: 0 },
    });
    expect(passed!.faults.find(({ name }) => name === "dropReply")!.hits).toBeGreaterThanOrEqual(15);
    expect(passed!.steps.map(({ status }) => status)).toEqual(passed!.steps.map(() => "done"));
    expect(passed!.samples.reduce((sum, { ok }) => sum + ok, 0)).toBe(passed!.totals.ok);
    expect(passed!.nodes).toEqual([
      {
        name: "n1",
        spans: [{ fromMs: expect.any(Number), toMs: passed!.durationMs, state: "primary", detail: "running" }],
      },
    ]);
    expect(await readFile(file("out/good.xml"), "utf8")).toContain('tests="1" failures="0" errors="0"');

    const bad = await command(folder, ...run, "--against", "bare", "--json", "-", "--quiet");
    expect(bad.code).toBe(1);
    const [violated] = JSON.parse(bad.out) as RunRecord[];
    expect(violated).toMatchObject({ subject: "pg.Pool with retry", verdict: "violated" });
    expect(violated!.violationCounts["doubled-write"]).toBeGreaterThan(0);
    expect(bad.error).toContain("replay: breakwater chaos replay 7 reply-loss, kept in");

    // The seed alone says which run it was, and against whom.
    const again = await command(folder, "chaos", "replay", "7", "--json", "again.json", "--quiet");
    expect([again.code, again.error]).toEqual([1, expect.stringMatching(/^kept in .*reply-loss-7\.json\n$/)]);
    const [replayed] = await records("again.json");
    expect(replayed).toMatchObject({ subject: "pg.Pool with retry", seed: 7 });
    // The same dice: the same steps with the same times and targets.
    expect(replayed!.steps.map(({ text }) => text)).toEqual(violated!.steps.map(({ text }) => text));
  });

  it("shows a failover: bare pg.Pool doubles writes, the preset passes, and one report compares them", async () => {
    const against = ["--against", "breakwater", "--against", "bare"];
    const outputs = ["--json", "both.json", "--report", "pages/both.html", "--store", "both"];
    const { code, out } = await command(folder, "chaos", "run", "failover", "--seed", "11", ...against, ...outputs);
    expect([code, out]).toEqual([1, expect.stringContaining("2 runs: 1 passed, 1 violated, 0 could not be done")]);
    expect(out).toContain("replay: breakwater chaos replay 11 failover --against bare, kept in");
    const [passed, violated] = await records("both.json");
    expect(passed).toMatchObject({ subject: "breakwater", verdict: "passed" });
    expect(passed!.nodes.map(({ name, spans }) => `${name} ${spans.at(-1)!.state} ${spans.at(-1)!.detail}`)).toContain(
      "n1 primary stopped",
    );
    expect(violated!.violations.map(({ kind }) => kind)).toContain("doubled-write");
    const page = await readFile(file("pages/both.html"), "utf8");
    expect(page.match(/<section class="run"/g)).toHaveLength(2);
    for (const text of ["breakwater", "pg.Pool with retry", "doubled-write", "failover"]) expect(page).toContain(text);
    const unsure = await command(folder, "chaos", "replay", "11", "--store", "both");
    expect([unsure.code, unsure.error]).toEqual([
      2,
      expect.stringContaining("failover --against bare, failover --against breakwater"),
    ]);
  });

  it("loses nothing when a name moves at once, and the old primary goes on", async () => {
    await writeFile(file("moved.yaml"), MOVED);
    const { code, out } = await command(folder, "chaos", "run", "moved.yaml", "--seed", "1");
    expect([code, out]).toEqual([0, expect.stringContaining("PASSED moved, breakwater, seed 1")]);
  });

  it("ends its servers when it is interrupted", async () => {
    await writeFile(file("still.yaml"), STILL);
    const running = start(folder, "chaos", "run", "still.yaml");
    await running.said(/until acknowledged: 5/);
    running.child.kill("SIGINT");
    const { code, out } = await running.ended;
    expect(code).toBe(130);
    expect(out).toContain("interrupted");
  });

  it("leaves no server five seconds after it is killed", async () => {
    await writeFile(file("still.yaml"), STILL);
    // In the checkout, where the kit is found.
    const module = path.join(ROOT, "test", `.telltale-${process.pid}.mjs`);
    await writeFile(module, TELLTALE);
    try {
      const running = start(folder, "chaos", "run", "still.yaml", "--against", module);
      await running.said(/until acknowledged: 5/);
      const pids = (await readFile(file("pids"), "utf8")).trim().split("\n").map(Number);
      expect(alive(pids)).toEqual(pids);
      running.child.kill("SIGKILL");
      await running.ended;
      await until(
        () => `the servers ${alive(pids).join(", ")} to be gone`,
        () => alive(pids).length === 0,
        GONE_MS,
      );
    } finally {
      await rm(module, { force: true });
    }
  });
});
