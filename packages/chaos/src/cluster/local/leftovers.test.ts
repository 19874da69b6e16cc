/** Whatever becomes of the process that started a cluster: no server, no reaper and no folder stays behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { until } from "../../wait.ts";
import { startCluster } from "../cluster.ts";
import { childrenOf, commandOf, folderOf, isAlive, listProcesses } from "./processes.ts";
import { readPidFile } from "./sweep.ts";

const limit = 120_000;

interface Runner {
  readonly child: ChildProcess;
  readonly postmasters: readonly number[];
  /** Postmasters, and what other processes they had when the cluster was up. */
  readonly pids: readonly number[];
  readonly reaper: number;
  readonly folder: string;
}

/** Starts a cluster in a process of its own, which then runs `then`; resolves when the cluster is up. */
async function runner(
  then: string,
  options: { replicas?: number; uid?: number; temporary?: string; quiet?: boolean } = {},
): Promise<Runner> {
  const kit = new URL("../../index.ts", import.meta.url).href;
  const script = `
    import { startCluster } from ${JSON.stringify(kit)};
    const cluster = await startCluster({ replicas: ${options.replicas ?? 0} });
    console.log(JSON.stringify(cluster.nodes.map((node) => node.pid)));
    for await (const chunk of process.stdin) break;
    ${then}
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["pipe", "pipe", options.quiet === true ? "ignore" : "inherit"],
    cwd: "/",
    env: { ...process.env, ...(options.temporary === undefined ? {} : { TMPDIR: options.temporary }) },
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]();
  const line = await lines.next();
  const postmasters = JSON.parse(String(line.value)) as number[];
  const data = commandOf(postmasters[0] ?? 0).at(-1) ?? "";
  const reaper = childrenOf(child.pid ?? 0).find((pid) => commandOf(pid).join(" ").includes("reaper-main"));
  return {
    child,
    postmasters,
    pids: [...postmasters, ...postmasters.flatMap(childrenOf)],
    reaper: reaper ?? 0,
    folder: path.dirname(data),
  };
}

async function expectNothingLeft(run: Runner, limitMs: number): Promise<void> {
  expect([run.reaper > 0, run.pids.length > 4, path.basename(run.folder).startsWith("cluster-")]).toEqual([
    true,
    true,
    true,
  ]);
  await until("all processes to be gone", () => ![...run.pids, run.reaper].some(isAlive), { limitMs });
  await until("the folder to be gone", () => !existsSync(run.folder), { limitMs });
}

/** A temporary folder of the test's own, which everybody may use. */
function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), "chaos-test-"));
  chmodSync(folder, 0o777);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe("a process with a cluster", { timeout: limit }, () => {
  it("leaves nothing behind when it is killed", async () => {
    const run = await runner("", { replicas: 1 });
    expect(run.postmasters.map(isAlive)).toEqual([true, true]);
    run.child.kill("SIGKILL");
    await expectNothingLeft(run, 5000);
  });

  it("leaves nothing behind when it is killed while its servers hang", async () => {
    const run = await runner(
      "for (const node of cluster.nodes) node.hang(); console.log(); setInterval(() => {}, 1000);",
    );
    run.child.stdin?.write("\n");
    await until("all servers to be stopped", () => run.pids.filter(isAlive).every((pid) => stateOf(pid) === "T"));
    run.child.kill("SIGKILL");
    await expectNothingLeft(run, 10_000);
  });

  it("leaves nothing behind when a postmaster was killed by somebody else while its children were stopped", async () => {
    const run = await runner("cluster.primary.hang(); console.log(); setInterval(() => {}, 1000);");
    run.child.stdin?.write("\n");
    const [postmaster] = run.postmasters;
    await until("the server to be stopped", () => stateOf(postmaster ?? 0) === "T");
    process.kill(postmaster ?? 0, "SIGKILL");
    run.child.kill("SIGKILL");
    await expectNothingLeft(run, 10_000);
  });

  it.each([
    ["process.exit", "process.exit(0);"],
    ["an exception that nobody catches", "queueMicrotask(() => { throw new Error('expected in this test'); });"],
    ["close", "await cluster.close();"],
  ])("leaves nothing behind when it ends by %s", async (_, then) => {
    const run = await runner(then, { quiet: true });
    run.child.stdin?.write("\n");
    await expectNothingLeft(run, 15_000);
    await until("it to end by itself", () => run.child.exitCode !== null || run.child.signalCode !== null);
  });

  it("cleans up itself when somebody killed the reaper", async () => {
    const run = await runner("await cluster.close();");
    process.kill(run.reaper, "SIGKILL");
    run.child.stdin?.write("\n");
    await expectNothingLeft(run, 15_000);
  });

  it.runIf(process.getuid?.() === 0)("works for an ordinary user as well", async () => {
    const temporary = temporaryFolder();
    const run = await runner("await cluster.failover(); await cluster.close();", {
      replicas: 1,
      uid: 65534,
      temporary,
    });
    run.child.stdin?.write("\n");
    await expectNothingLeft(run, 30_000);
    await until("it to end by itself", () => run.child.exitCode !== null);
    expect(run.child.exitCode).toBe(0);
    expect(run.folder.startsWith(temporary)).toBe(true);
  });
});

describe("the folder that is kept between runs", { timeout: limit }, () => {
  it("is made once by processes that start at the same time, and holds nothing half made", async () => {
    const temporary = temporaryFolder();
    const runs = await Promise.all([1, 2].map(() => runner("await cluster.close();", { temporary })));
    for (const run of runs) run.child.stdin?.write("\n");
    for (const run of runs) await expectNothingLeft(run, 30_000);
    const [kept] = readdirSync(temporary);
    const names = readdirSync(path.join(temporary, kept ?? "")).map((name) => name.replace(/-[^]*/, ""));
    expect(names.filter((name) => name !== "embedded")).toEqual(["template"]);
  });

  it("is removed in the unfinished part when a process is killed while it makes it", async () => {
    const temporary = temporaryFolder();
    const kit = new URL("../../index.ts", import.meta.url).href;
    const script = `import { startCluster } from ${JSON.stringify(kit)}; await startCluster();`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: "ignore",
      env: { ...process.env, TMPDIR: temporary },
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const parts = (): string[] => readdirSync(temporary).flatMap((name) => readdirSync(path.join(temporary, name)));
    await until(
      "initdb to run",
      () => parts().some((name) => name.startsWith("unfinished-")) && initdbRuns(temporary),
      {
        everyMs: 2,
      },
    );
    child.kill("SIGKILL");
    await until("initdb to be gone", () => !initdbRuns(temporary));
    await until("the unfinished part to be gone", () => !parts().some((name) => name.startsWith("unfinished-")));
    expect(parts().filter((name) => name.startsWith("template-"))).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)("is refused when somebody else could write there", async () => {
    const temporary = temporaryFolder();
    const before = process.env["TMPDIR"];
    onTestFinished(() => {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    });
    process.env["TMPDIR"] = temporary;
    chmodSync(temporary, 0o700);
    await expect(startCluster({ replicas: 0 })).rejects.toThrow(/cannot be entered by uid 65534/);
    chmodSync(temporary, 0o755);
    chmodSync(path.join(temporary, readdirSync(temporary)[0] ?? ""), 0o777);
    await expect(startCluster({ replicas: 0 })).rejects.toThrow(/may be written by others/);
  });
});

describe("sweeping", { timeout: limit }, () => {
  it.runIf(existsSync("/proc/sysvipc/shm"))("leaves no shared memory of killed servers", async () => {
    const cluster = await startCluster({ replicas: 1 });
    onTestFinished(() => cluster.close());
    const [old, next] = [cluster.primary, cluster.node("n2")];
    const pids = new Set([old.pid, next.pid]);
    // Columns of this file: key, shmid, perms, size, cpid (who made it), …
    const segments = (): number =>
      readFileSync("/proc/sysvipc/shm", "utf8")
        .split("\n")
        .filter((line) => pids.has(Number(line.trim().split(/\s+/)[4]))).length;
    expect(segments()).toBe(2);
    await cluster.failover();
    await old.reclone(next);
    await next.kill();
    expect(segments()).toBe(1);
    await cluster.close();
    expect(segments()).toBe(0);
  });

  it("trusts no pid file that names somebody else's process", async () => {
    const cluster = await startCluster({ replicas: 0 });
    onTestFinished(() => cluster.close());
    const data = commandOf(cluster.primary.pid ?? 0).at(-1) ?? "";
    const innocent = spawn("sleep", ["60"]);
    onTestFinished(() => void innocent.kill("SIGKILL"));
    const { pid } = innocent;
    await cluster.primary.kill();
    writeFileSync(path.join(data, "postmaster.pid"), `${pid}\n${data}\n`);
    expect(readPidFile(data)?.pid).toBe(pid);
    await cluster.close();
    expect([existsSync(data), isAlive(pid ?? 0)]).toEqual([false, true]);
  });
});

/** State letter of a process; T: stopped by a signal. */
function stateOf(pid: number): string {
  return listProcesses().find((one) => one.pid === pid)?.state ?? "";
}

function initdbRuns(below: string): boolean {
  return listProcesses().some(
    ({ pid }) => commandOf(pid).join(" ").includes(`-D ${below}`) || folderOf(pid)?.startsWith(`${below}${path.sep}`),
  );
}
