/** What answers at an address need not be PostgreSQL, nor mean well. */
import net from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { doctorCommand } from "../../packages/breakwater/src/cli/doctor/doctor.ts";

const SECRET = "hunter2";
const HOSTILE = "\u001B]0;owned\u0007\u009B2J\u202E";

const opened: net.Server[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

/** A server that sends the first answer to what begins a connection, and the second to every question. */
async function answering(first: Buffer, second?: Buffer): Promise<string> {
  const server = net.createServer((socket) => {
    let answer: Buffer | undefined = first;
    socket.on("error", () => {});
    socket.on("data", () => {
      if (answer === undefined) socket.destroy();
      else socket.write(answer);
      answer = second;
    });
  });
  opened.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `postgres://app:${SECRET}@127.0.0.1:${(server.address() as net.AddressInfo).port}/shop`;
}

async function told(...given: readonly string[]): Promise<{ code: number; out: string }> {
  let out = "";
  const code = await doctorCommand(given, {
    write(text, written) {
      out += text;
      written();
    },
  });
  return { code, out };
}

/** Messages of the protocol (PostgreSQL's documentation, 54.7). */
function message(type: string, ...parts: readonly (string | readonly number[])[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(`${part}\0`) : Buffer.from(part))),
  );
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}
const READY = message("Z", [0x49]);
const WELCOME = Buffer.concat([message("R", [0, 0, 0, 0]), READY]);
const refusal = (text: string): Buffer => message("E", [0x53], "FATAL", [0x43], "28000", [0x4d], text, [0]);

describe("breakwater doctor, where no PostgreSQL is", () => {
  it.each([
    ["a way of proof that there is none of", message("R", [0, 0, 0, 99]), undefined],
    ["a proof that is none", message("R", [0, 0, 0, 10], "SCRAM-SHA-256", [0]), message("R", [0, 0, 0, 11, 1, 2])],
    ["columns that are cut off", WELCOME, message("T", [0, 9, 65])],
    ["a row without columns", WELCOME, Buffer.concat([message("D", [0, 1, 0, 0, 0, 1, 65]), READY])],
    ["nothing to any question", WELCOME, Buffer.concat([message("I"), READY])],
    [
      "results without rows",
      WELCOME,
      Buffer.concat([...Array.from({ length: 4 }, () => message("C", "SELECT 0")), READY]),
    ],
    ["nothing more", WELCOME, undefined],
    ["what steers a terminal", refusal(`no ${HOSTILE} ${SECRET} entry\nat all`), undefined],
  ])("tells of %s, and goes on", async (_, first, second) => {
    const dsn = await answering(first, second);
    const text = await told(dsn, "--timeout-ms", "20000");
    expect(text.code).toBe(1);
    expect(text.out).toMatch(
      /^127\.0\.0\.1:\d+\/shop {2}not examined\n {2}error {3}(?:connection-failed|access-refused)\n/,
    );
    const json = await told(dsn, "--timeout-ms", "20000", "--json");
    expect(JSON.parse(json.out)).toMatchObject({ counts: { error: 1 }, nodes: [{ role: null }] });
    for (const { out } of [text, json]) {
      expect(out).not.toContain(SECRET);
      expect(out).toMatch(/^[\n -~…]+$/);
    }
  });
});
