import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Cluster, startCluster } from "@breakwater/chaos";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../packages/tree.ts";
import { until } from "../support/wait.ts";
import { linkModules } from "./modules.ts";
import { pages, wholeProgramsOf } from "./pages.ts";

/** Whether a text is what a page shows, `…` being anything. */
function isAsShown(printed: string, shown: string): boolean {
  const pattern = shown.split("…").map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${pattern.join(".*")}$`).test(printed);
}

const all = pages().flatMap((page) =>
  wholeProgramsOf(page).map((program) => ({ ...program, where: `${page}:${program.line}` })),
);

/** Below the checkout, where nothing else looks for tests. */
const FOLDER = path.join(ROOT, ".artifacts", `run-${process.pid}`);

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

/** So many run at a time: what a small machine has cores. */
const LANES = 2;
/** A loaded machine needs ten times as long as an idle one. */
const LIMIT_MS = 300_000;

/** Runs a program as its reader would, who has a database and a replica of it. */
function run(file: string, databases: { readonly primary: string; readonly replica: string }): Promise<Ended> {
  const env = { ...process.env, DATABASE_URL: databases.primary, REPLICA_URL: databases.replica };
  const ends = { timeout: LIMIT_MS / 2, killSignal: "SIGKILL" } as const;
  const child = spawn(process.execPath, [file], { cwd: FOLDER, env, stdio: ["ignore", "pipe", "pipe"], ...ends });
  let out = "";
  let error = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (error += text));
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ code, out, error }));
  });
}

describe("the main programs of the pages", () => {
  let cluster: Cluster | undefined;
  let ended: readonly Promise<Ended>[] = [];

  /** An address of a node for a database of that name. */
  const address = (node: string, name: string): string => {
    const url = new URL(cluster!.node(node).connectionString);
    url.pathname = `/${name}`;
    return url.href;
  };

  beforeAll(async () => {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(path.join(FOLDER, "package.json"), JSON.stringify({ type: "module" }));
    linkModules(FOLDER);
    cluster = await startCluster({ replicas: 1 });
    const [replica] = cluster.replicas;
    for (const index of all.keys()) await cluster.primary.query(`CREATE DATABASE page_${index}`);
    await until("the databases on the replica", async () => {
      const [row] = await replica!.query<{ count: number }>(
        "SELECT count(*)::int AS count FROM pg_database WHERE datname LIKE 'page_%'",
      );
      return row?.count === all.length;
    });
    const lanes: Promise<unknown>[] = Array.from({ length: LANES }, () => Promise.resolve());
    ended = all.map(({ code }, index) => {
      const file = path.join(FOLDER, `page-${index}.ts`);
      writeFileSync(file, code);
      const name = `page_${index}`;
      const databases = { primary: address("n1", name), replica: address("n2", name) };
      const running = lanes[index % LANES]!.then(() => run(file, databases));
      lanes[index % LANES] = running;
      return running;
    });
  }, LIMIT_MS);

  afterAll(async () => {
    await Promise.all(ended);
    await cluster?.close();
    rmSync(FOLDER, { recursive: true, force: true });
  }, LIMIT_MS);

  it.each(all.map((one, index) => ({ ...one, index })))(
    "run: $where",
    async ({ prints, index }) => {
      const { code, out, error } = await ended[index]!;
      expect({ code, error }).toEqual({ code: 0, error: "" });
      if (prints !== undefined && !isAsShown(out.trimEnd(), prints)) expect(out.trimEnd()).toBe(prints);
    },
    LIMIT_MS,
  );

  it("are those of the first pages that people read, and others", () => {
    const where = new Set(all.map((one) => one.where.replace(/:\d+$/, "")));
    expect([...where]).toEqual(expect.arrayContaining(["docs/start.md", "docs/from-pg-pool.md"]));
    expect(where.size).toBeGreaterThanOrEqual(5);
  });

  it("are known by the comment above them, and what they print by the one below", () => {
    const fence = "```";
    const page = `<!-- run -->\n\n${fence}ts\na();\n${fence}\n\nSaid:\n\n<!-- prints -->\n\n${fence}text\n1 … 3\n${fence}\n`;
    expect(wholeProgramsOf("page.md", page)).toEqual([{ line: 4, code: "a();", prints: "1 … 3" }]);
    expect(isAsShown("1 two 3", "1 … 3")).toBe(true);
    expect(isAsShown("1 two 4", "1 … 3")).toBe(false);
  });
});
