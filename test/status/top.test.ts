/** `breakwater top`, as a process of its own. */
import { spawn, spawnSync } from "node:child_process";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { database } from "@breakwater/core";
import { fakePool } from "@breakwater/core/testing";
import { serveStatus, type StatusReport, type StatusServer } from "breakwater/status";
import { afterEach, describe, expect, it } from "vitest";
import { command, start } from "../scenarios/command.ts";
import { ROOT } from "../packages/tree.ts";
import { until } from "../support/wait.ts";

const TOKEN = "correct-horse-battery";
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

async function served(options: Parameters<typeof serveStatus>[1] = {}): Promise<StatusServer> {
  const server = await serveStatus(database(fakePool(undefined, "shop")), options);
  opened.push(server);
  return server;
}

async function answering(status: number, body: string): Promise<string> {
  const server = http.createServer((_, response) => response.writeHead(status, { location: "/elsewhere" }).end(body));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push({ close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

describe("breakwater top", () => {
  it("prints one picture, or what the endpoint says", async () => {
    const { url, port } = await served({ basePath: "/status" });
    const addresses = [url, `127.0.0.1:${port}/status`, `${url}status.json`];
    const all = await Promise.all([
      ...addresses.map((each) => command(ROOT, "top", each, "--once")),
      command(ROOT, "top", url, "--once", "--json"),
    ]);
    for (const { code, out, error } of all.slice(0, 3)) {
      expect([code, error]).toEqual([0, ""]);
      expect(out).toMatch(/^breakwater {2}http:\/\/127/);
      expect(out).toMatch(/^shop unknown$/m);
      // oxlint-disable-next-line no-control-regex -- no colours and no moves of the cursor
      expect(out).not.toMatch(/[\u0000-\u0009\u000B-\u001F]/);
    }
    expect((JSON.parse(all[3]!.out) as StatusReport).databases[0]!.name).toBe("shop");
  });

  it("says that a server has gone, keeps trying, and ends at an interrupt", async () => {
    const first = await served({ token: TOKEN, read: "token" });
    const running = start(ROOT, "top", first.url, "--interval", "0.1", "--token", TOKEN);
    await running.said(/shop[^]*shop/);
    let complaints = "";
    running.child.stderr!.on("data", (text: string) => (complaints += text));
    await first.close();
    await until("its word on that", () => complaints.includes("trying again"));
    await served({ token: TOKEN, read: "token", port: first.port });
    let more = "";
    running.child.stdout!.on("data", (text: string) => (more += text));
    await until("news", () => more.includes("shop"));
    running.child.kill("SIGINT");
    const { code, error } = await running.ended;
    expect(code).toBe(0);
    // Once, however often it tried.
    expect(error).toMatch(/^breakwater: no answer \(.+\); trying again\n$/);
  });

  it("tells what cannot be helped, by its exit code", async () => {
    const { url } = await served({ token: TOKEN, read: "token" });
    const free = await served();
    await free.close();
    const [page, moved] = [await answering(200, "<html>"), await answering(302, "")];
    const hostile = await answering(403, JSON.stringify({ error: "\u001B]0;owned\u0007 no \u009B2J" }));
    const shapeless = ["null", "{}", '{"name":"a","nodes":7}'].map((each) => `{"format":1,"databases":[${each}]}`);
    const broken = await Promise.all(shapeless.map((body) => answering(200, body)));
    const expected: [readonly string[], number, RegExp][] = [
      [["--help"], 0, /^$/],
      [[], 2, /needs one address/],
      [["a", "b"], 2, /needs one address/],
      [["ftp://a"], 2, /http or https/],
      [["http://user:hunter2@a"], 2, /must not hold a password/],
      [[url, "--interval", "0"], 2, /--interval must be/],
      [[url, "--tokn", "x"], 2, /tokn/],
      [[url], 3, /401: a token is needed/],
      [[url, "--token", "wrong-wrong-wrong"], 3, /401: the token is wrong/],
      [[page], 3, /no status of a kind/],
      [[moved], 3, /302/],
      [[free.url, "--once"], 3, /ECONNREFUSED/],
      [[hostile], 3, /gave no status: 403: \?\]0;owned\? no \?2J\n$/],
    ];
    const unread = /^breakwater: [^\n]+: the status cannot be read \([^\n]+\)\n$/;
    for (const one of broken) expected.push([[one], 3, unread]);
    const found = await Promise.all(expected.map(([given]) => command(ROOT, "top", ...given)));
    expect(found.map(({ code }) => code)).toEqual(expected.map(([, code]) => code));
    for (const [index, { error }] of found.entries()) expect(error).toMatch(expected[index]![2]);
    expect(found.map(({ error }) => error).join("")).not.toMatch(/hunter2|wrong-wrong/);
  });

  const hasScript = spawnSync("script", ["--version"]).status === 0;

  it.skipIf(!hasScript)(
    `fills a terminal, and leaves it as it was${hasScript ? "" : " (no script(1) on this machine, which makes a terminal)"}`,
    async () => {
      const { url } = await served();
      const main = path.join(ROOT, "packages/breakwater/src/cli/main.ts");
      const line = `stty rows 20 cols 60; exec "${process.execPath}" "${main}" top ${url} --interval 0.1`;
      const child = spawn("script", ["-qec", line, "/dev/null"], {
        stdio: ["pipe", "pipe", "pipe"],
        env: { ...process.env, TERM: "xterm", NO_COLOR: "" },
      });
      let out = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
      const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
      await until(
        () => `a picture: ${out}`,
        () => out.includes("shop"),
      );
      // What Ctrl-C sends to a terminal.
      child.stdin.write("\u0003");
      expect(await ended).toBe(0);
      expect(out).toContain("\u001B[?1049h\u001B[?25l");
      expect(out).toContain("\u001B[1m");
      expect(out.trimEnd().endsWith("\u001B[?7h\u001B[?25h\u001B[?1049l")).toBe(true);
    },
  );
});
