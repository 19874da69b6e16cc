/** With no fault on, a proxy is not to be noticed: what clients do through it, they do as without. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { Client, type Connection, type Submittable } from "pg";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import { until } from "../wait.ts";

const psqlPath = "/usr/bin/psql";
const run = promisify(execFile);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ replicas: 0 });
});
afterAll(() => cluster?.close());

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

async function client(): Promise<Client> {
  const made = new Client(cluster.primary.connectionString);
  onTestFinished(() => void made.end().catch(() => {}));
  await made.connect();
  return made;
}

/** COPY … FROM STDIN of the driver, a chunk at a time. */
class CopyIn implements Submittable {
  readonly done: Promise<void>;
  readonly #text: string;
  readonly #chunks: readonly Buffer[];
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(text: string, chunks: readonly Buffer[]) {
    this.#text = text;
    this.#chunks = chunks;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: Connection): void {
    connection.query(this.#text);
  }

  handleCopyInResponse(connection: { sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void }): void {
    for (const chunk of this.#chunks) connection.sendCopyFromChunk(chunk);
    connection.endCopyFrom();
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#resolve();
  }

  handleError(error: Error): void {
    this.#reject(error);
  }
}

describe("through a proxy with no fault on", () => {
  it("a result of 100 MB arrives unchanged", async () => {
    const text = "SELECT i, repeat(md5(i::text), 3200) AS part FROM generate_series(1, 1024) i";
    const [summed] = await cluster.primary.query<{ bytes: string; sum: string }>(
      `SELECT sum(length(part))::text AS bytes, md5(string_agg(md5(part), '' ORDER BY i)) AS sum FROM (${text}) s`,
    );
    expect(Number(summed?.bytes)).toBeGreaterThanOrEqual(100 * 1024 * 1024);
    const one = await client();
    const { rows } = await one.query<{ i: number; part: string }>(text);
    expect(md5(rows.map(({ part }) => md5(part)).join(""))).toBe(summed?.sum);
  });

  it("a COPY of node-postgres brings its rows, and the connection goes on", async () => {
    const one = await client();
    await one.query("CREATE TABLE copied (i int, text text)");
    const lines = Array.from({ length: 50_000 }, (_, i) => `${i}\tline ${i} äöü\n`);
    const bytes = Buffer.from(lines.join(""));
    const chunks = [];
    for (let at = 0; at < bytes.length; at += 7919) chunks.push(bytes.subarray(at, at + 7919));
    const copy = new CopyIn("COPY copied FROM STDIN", chunks);
    one.query(copy);
    await copy.done;
    const { rows } = await one.query("SELECT count(*)::int AS n, sum(i)::int AS sum, max(text) AS last FROM copied");
    expect(rows).toEqual([{ n: 50_000, sum: 1_249_975_000, last: "line 9999 äöü" }]);
  });

  const psql = (command: string, input?: string): Promise<{ stdout: string; stderr: string }> => {
    const running = run(
      psqlPath,
      ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", command, cluster.primary.connectionString],
      {
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    running.child.stdin?.end(input ?? "");
    return running;
  };

  describe.skipIf(!existsSync(psqlPath))(`psql (skipped where there is no ${psqlPath})`, () => {
    it("asks, copies in and out, and fails as it should", async () => {
      await psql("CREATE TABLE words (i int, word text)");
      const input = Array.from({ length: 20_000 }, (_, i) => `${i}\tword ${i}`).join("\n");
      await psql("\\copy words FROM STDIN", `${input}\n`);
      expect((await psql("SELECT count(*), max(i) FROM words")).stdout.trim()).toBe("20000|19999");
      expect((await psql("\\copy (SELECT * FROM words ORDER BY i) TO STDOUT")).stdout).toBe(`${input}\n`);
      await expect(psql("SELECT nothing")).rejects.toThrow('column "nothing" does not exist');
    });

    it("cancels what it runs when it is interrupted", async () => {
      const running = psql("SELECT pg_sleep(60), 'of psql'");
      const { child } = running as unknown as { child: { kill(signal: string): void } };
      const asleep =
        "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%of psql%' AND pid <> pg_backend_pid()";
      await until("the statement to run", async () => (await cluster.primary.query(asleep)).length === 1);
      child.kill("SIGINT");
      await expect(running).rejects.toThrow("canceling statement due to user request");
      await until("the statement to end", async () => (await cluster.primary.query(asleep)).length === 0);
    });
  });
});
