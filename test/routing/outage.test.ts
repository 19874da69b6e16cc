/** While a server is away, hardly anybody knocks; when it is back, everybody is served, and not by a storm. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "@breakwater/chaos";
import { breakwater, type Database } from "breakwater";

const CALLERS = 50;
const POOL = 10;
const LIMIT_MS = 120_000;
/** How long the server is away, in milliseconds; a minute for the figures of record. */
const OUTAGE_MS = Number(process.env["BREAKWATER_ROUNDS"] ?? 1) >= 10 ? 60_000 : 6_000;

/** A door before a server, which can be shut, and counts who knocks. */
class Door {
  shut = false;
  readonly knocks: number[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  most = 0;

  constructor(target: number) {
    this.#server = createServer((socket) => {
      this.knocks.push(performance.now());
      if (this.shut) {
        socket.destroy();
        return;
      }
      const inner = connect(target, "127.0.0.1");
      for (const [one, other] of [
        [socket, inner],
        [inner, socket],
      ] as const) {
        this.#sockets.add(one);
        one.pipe(other);
        one.on("error", () => other.destroy());
        one.on("close", () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
      this.most = Math.max(this.most, this.#sockets.size / 2);
    });
  }

  async open(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as { port: number }).port;
  }

  slam(): void {
    this.shut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.slam();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let cluster: Cluster;
let door: Door;
let db: Database;

beforeAll(async () => {
  cluster = await startCluster({ replicas: 0 });
  door = new Door(cluster.primary.directPort);
  const port = await door.open();
  db = breakwater({
    primary: { host: "127.0.0.1", port, user: "postgres", database: "postgres", max: POOL },
    router: { failoverWaitMs: 100_000 },
    timeoutMs: 100_000,
  });
}, LIMIT_MS);

afterAll(async () => {
  await db?.close({ drainMs: 100 });
  await door?.close();
  await cluster?.close();
}, LIMIT_MS);

describe("a server that is away", () => {
  it(
    "is asked at most twice a second, by 50 callers, and is at full speed within a second of its return",
    async () => {
      const state = { ended: false };
      const served = Array.from({ length: CALLERS }, () => 0);
      const errors: string[] = [];
      let since = performance.now();
      const callers = served.map(async (_, caller) => {
        while (!state.ended) {
          await db.query("SELECT 1").then(
            () => (served[caller] = performance.now()),
            (error: unknown) => errors.push(`${String(error)} at ${(performance.now() - since).toFixed(0)} ms`),
          );
        }
      });
      while (served.some((at) => at === 0)) await new Promise((resolve) => setTimeout(resolve, 5));
      const slammedAt = performance.now();
      since = slammedAt;
      door.slam();
      await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
      const knocks = door.knocks.filter((at) => at > slammedAt).map((at) => at - slammedAt);
      const inOneSecond = Math.max(
        ...knocks.map((from) => knocks.filter((at) => at >= from && at < from + 1000).length),
      );
      door.most = 0;
      door.shut = false;
      const backAt = performance.now();
      const firstAt = await new Promise<number>((resolve) => {
        const look = (): void => {
          const first = served.find((at) => at > backAt);
          if (first === undefined) setTimeout(look, 1);
          else resolve(first);
        };
        look();
      });
      while (served.some((at) => at < backAt)) await new Promise((resolve) => setTimeout(resolve, 1));
      const allMs = performance.now() - firstAt;
      state.ended = true;
      await Promise.all(callers);
      process.stdout.write(
        `  away for ${OUTAGE_MS / 1000} s, ${CALLERS} callers: ${knocks.length} attempts to connect, at most ${inOneSecond} ` +
          `in a second; back: first call after ${(firstAt - backAt).toFixed(0)} ms, every caller ${allMs.toFixed(0)} ms ` +
          `later, at most ${door.most} connections (pool ${POOL} and a probe); ${errors.length} calls failed\n`,
      );
      expect(errors.slice(0, 5)).toEqual([]);
      expect(inOneSecond).toBeLessThanOrEqual(2);
      expect(door.most).toBeLessThanOrEqual(POOL + 1);
      expect(allMs).toBeLessThan(1000);
    },
    LIMIT_MS,
  );
});
