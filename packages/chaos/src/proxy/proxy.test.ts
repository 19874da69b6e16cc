import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { Client, type ClientConfig, Pool } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import { until } from "../wait.ts";
import type { FaultProxy } from "./fault-proxy.ts";
import { startProxy } from "./proxy.ts";

let cluster: Cluster;
let proxy: FaultProxy;

beforeAll(async () => {
  cluster = await startCluster({ replicas: 0 });
  await cluster.primary.query("CREATE TABLE t (i int PRIMARY KEY)");
});
afterAll(() => cluster?.close());

/** A proxy of the test's own in front of the server. */
async function fresh(): Promise<FaultProxy> {
  proxy = await startProxy({ target: cluster.primary.directPort });
  return proxy;
}
afterEach(async () => {
  await proxy?.close();
  await cluster.primary.query("TRUNCATE t");
});

async function client(config: ClientConfig = {}): Promise<Client & { lost: Promise<Error> }> {
  const made = new Client({ host: "127.0.0.1", port: proxy.port, user: "postgres", database: "postgres", ...config });
  const lost = new Promise<Error>((resolve) => made.on("error", resolve));
  onTestFinished(() => void made.end().catch(() => {}));
  await made.connect();
  return Object.assign(made, { lost });
}

async function rows(): Promise<number[]> {
  const found = await cluster.primary.query<{ i: number }>("SELECT i FROM t ORDER BY i");
  return found.map((row) => row.i);
}

describe("a proxy with no fault on", () => {
  it("passes a result of 10 MB unchanged", async () => {
    await fresh();
    const { rows: found } = await (
      await client()
    ).query<{ part: string }>("SELECT repeat(md5(i::text), 320) AS part FROM generate_series(1, 1000) i");
    const direct = await cluster.primary.query<{ part: string }>(
      "SELECT repeat(md5(i::text), 320) AS part FROM generate_series(1, 1000) i",
    );
    expect(found.map((row) => row.part).join("").length).toBe(10_240_000);
    expect(found).toEqual(direct);
  });

  it("passes a parameter of 10 MB unchanged", async () => {
    await fresh();
    const value = "äb".repeat(3_500_000);
    const { rows: found } = await (await client()).query("SELECT $1::text AS back", [value]);
    expect(found[0].back === value).toBe(true);
  });

  it("serves many clients at the same time", async () => {
    await fresh();
    const pool = new Pool({ host: "127.0.0.1", port: proxy.port, user: "postgres", database: "postgres", max: 40 });
    const answers = await Promise.all(
      Array.from({ length: 400 }, async (_, i) => {
        const result = await pool.query({ name: `q${i % 5}`, text: `SELECT $1::int + ${i % 5} AS n`, values: [i] });
        return result.rows[0].n - (i % 5);
      }),
    );
    expect(answers).toEqual(Array.from({ length: 400 }, (_, i) => i));
    expect(proxy.connections).toBe(40);
    await pool.end();
    await until("the connections to end", () => proxy.connections === 0);
  });

  it("passes a cancel request", async () => {
    await fresh();
    const busy = await client();
    const running = busy.query("SELECT pg_sleep(60)");
    const { processID, secretKey } = busy as unknown as { processID: number; secretKey: number };
    await until("the statement to run", async () => {
      const found = await cluster.primary.query("SELECT FROM pg_stat_activity WHERE pid = $1 AND state = 'active'", [
        processID,
      ]);
      return found.length === 1;
    });
    const packet = Buffer.alloc(16);
    for (const [at, value] of [16, 80877102, processID, secretKey].entries()) packet.writeInt32BE(value, at * 4);
    const socket = connect(proxy.port, "127.0.0.1");
    socket.end(packet);
    await expect(running).rejects.toMatchObject({ code: "57014" });
    expect((await busy.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  it("keeps a client that reads slowly from filling its memory", async () => {
    const chunk = Buffer.alloc(256 * 1024);
    let sent = 0;
    const source = await listening((socket) => {
      const more = (): void => {
        while (sent < 400 * 1024 * 1024) {
          sent += chunk.length;
          if (!socket.write(chunk)) return void socket.once("drain", more);
        }
      };
      more();
    });
    proxy = await startProxy({ target: portOf(source) });
    const socket = connect(proxy.port, "127.0.0.1").pause();
    onTestFinished(() => void socket.destroy());
    let before = 0;
    const standsStill = (): boolean => {
      const still = sent > 0 && sent === before;
      before = sent;
      return still;
    };
    await until("the sender to stand still", standsStill, { everyMs: 200 });
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  it("passes the end of one direction while the other goes on", async () => {
    const echo = await listening((socket) => {
      void text(socket).then((all) => socket.end(`heard ${all}`));
    });
    proxy = await startProxy({ target: portOf(echo) });
    const socket = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true });
    socket.end("no such protocol");
    expect(await text(socket)).toBe("heard no such protocol");
  });

  it("resets clients while the server is not there", async () => {
    const gone = await listening(() => {});
    const port = portOf(gone);
    gone.close();
    proxy = await startProxy({ target: port });
    await expect(client()).rejects.toMatchObject({ code: "ECONNRESET" });
    await until("the connection to be forgotten", () => proxy.connections === 0);
  });

  it("tells listeners of every statement until they leave", async () => {
    await fresh();
    const seen: string[] = [];
    const stop = proxy.onStatement((statement) => seen.push(statement));
    const one = await client();
    await one.query("SELECT 1");
    await one.query({ name: "s", text: "SELECT $1::int", values: [1] });
    await one.query({ name: "s", text: "SELECT $1::int", values: [2] });
    stop();
    await one.query("SELECT 2");
    expect(seen).toEqual(["SELECT 1", "SELECT $1::int", "SELECT $1::int"]);
  });
});

describe("faults of the network", () => {
  it("delay each direction by the latency", async () => {
    await fresh();
    const one = await client();
    const timed = async (): Promise<number> => {
      const start = performance.now();
      await one.query("SELECT 1");
      return performance.now() - start;
    };
    proxy.setLatency(50);
    expect(await timed()).toBeGreaterThanOrEqual(99);
    proxy.setLatency(0, "toServer");
    const half = await timed();
    expect(half).toBeGreaterThanOrEqual(49);
    proxy.setLatency(0);
    const { rows: found } = await one.query("SELECT 1 AS one");
    expect(found).toEqual([{ one: 1 }]);
  });

  it("keep the order of bytes when the latency changes", async () => {
    await fresh();
    const one = await client();
    proxy.setLatency(80);
    const first = one.query("SELECT 1 AS n");
    await until("the first to be on its way", () => proxy.connections === 1);
    proxy.setLatency(0);
    const second = one.query("SELECT 2 AS n");
    expect([(await first).rows, (await second).rows]).toEqual([[{ n: 1 }], [{ n: 2 }]]);
  });

  it.each(["toServer", "toClient", undefined] as const)(
    "hold everything while frozen (%s) and lose nothing",
    async (way) => {
      await fresh();
      const old = await client();
      proxy.freeze(way);
      let settled = 0;
      const waiting = [
        old.query("INSERT INTO t VALUES (1)"),
        client().then((late) => late.query("INSERT INTO t VALUES (2)")),
      ].map((one) => one.finally(() => settled++));
      await until("both to be accepted", () => proxy.connections === 2);
      // A direction that passes does so meanwhile: the server has done it, only the answer is missing.
      if (way === "toClient") await until("the row to be there", async () => (await rows()).includes(1));
      await cluster.primary.query("SELECT pg_sleep(0.1)");
      expect(settled).toBe(0);
      if (way !== "toClient") expect(await rows()).toEqual([]);
      proxy.thaw(way);
      await Promise.all(waiting);
      expect(await rows()).toEqual([1, 2]);
    },
  );

  it("turn new connections away and leave the others", async () => {
    await fresh();
    const old = await client();
    proxy.refuse("reset");
    await expect(client()).rejects.toMatchObject({ code: "ECONNRESET" });
    proxy.refuse("fin");
    await expect(client()).rejects.toThrow("Connection terminated unexpectedly");
    proxy.refuse({ sqlstate: "53300", message: "sorry, too many clients already" });
    await expect(client()).rejects.toMatchObject({
      code: "53300",
      severity: "FATAL",
      message: "sorry, too many clients already",
    });
    await expect(client({ ssl: true })).rejects.toThrow("The server does not support SSL connections");
    await old.query("SELECT 1");
    proxy.accept();
    await (await client()).query("SELECT 1");
  });

  it("cut all connections, or one", async () => {
    await fresh();
    const three = [await client(), await client(), await client()] as const;
    expect(proxy.cutOne(() => 0.99)).toBe(true);
    expect(await three[2].lost).toMatchObject({ code: "ECONNRESET" });
    expect(proxy.cutAll("fin")).toBe(2);
    expect((await three[0].lost).message).toBe("Connection terminated unexpectedly");
    await three[1].lost;
    expect(proxy.cutAll()).toBe(0);
    expect(proxy.cutOne()).toBe(false);
    await until("the server to notice", async () => (await sessions()) === 0);
  });
});

describe("dropReply", () => {
  const shapes = {
    "a simple query": (one: Client) => one.query("INSERT INTO t VALUES (1)"),
    "a statement with parameters": (one: Client) => one.query("INSERT INTO t VALUES ($1)", [1]),
  };
  for (const [name, insert] of Object.entries(shapes)) {
    it.each(["reply", "none"] as const)(
      `lets the server do ${name} and the client hear nothing (wait: %s)`,
      async (wait) => {
        await fresh();
        const one = await client();
        const fault = proxy.dropReply({ to: /INSERT/, wait });
        await expect(insert(one)).rejects.toMatchObject({ code: "ECONNRESET" });
        await until("the row to be there", async () => (await rows()).length === 1);
        expect(fault.hits).toBe(1);
        await until("the session to end", async () => (await sessions()) === 0);
      },
    );
  }

  it("finds the text of a named statement that was prepared before the fault", async () => {
    await fresh();
    const one = await client();
    const insert = (i: number): Promise<unknown> =>
      one.query({ name: "ins", text: "INSERT INTO t VALUES ($1)", values: [i] });
    await insert(1);
    using fault = proxy.dropReply({ to: (statement) => statement.startsWith("INSERT INTO t") });
    await one.query("SELECT 1");
    await expect(insert(2)).rejects.toMatchObject({ code: "ECONNRESET" });
    expect([fault.hits, await rows()]).toEqual([1, [1, 2]]);
  });

  it("commits a transaction whose client never learns of it", async () => {
    await fresh();
    const one = await client();
    proxy.dropReply({ to: /^COMMIT$/i });
    await one.query("BEGIN");
    await one.query("INSERT INTO t VALUES (7)");
    await expect(one.query("COMMIT")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(await rows()).toEqual([7]);
  });

  it("strikes each n-th match, so often, with that probability, until it is off", async () => {
    await fresh();
    const insert = async (i: number): Promise<boolean> => {
      const one = await client();
      const ok = await one.query(`INSERT INTO t VALUES (${i})`).then(
        () => true,
        () => false,
      );
      await one.end().catch(() => {});
      return ok;
    };
    const tried = async (count: number): Promise<string> => {
      let marks = "";
      for (let i = 0; i < count; i++) marks += (await insert(next++)) ? "." : "x";
      return marks;
    };
    let next = 1;
    const every = proxy.dropReply({ to: /insert/gi, every: 3, times: 2 });
    expect(await tried(10)).toBe("..x..x....");
    expect(every.hits).toBe(2);
    const dice = [0.1, 0.9, 0.4, 0.5];
    const likely = proxy.dropReply({ to: /INSERT/, probability: 0.5, random: () => dice.shift() ?? 1 });
    expect(await tried(5)).toBe("x.x..");
    likely.off();
    const all = proxy.dropReply({ to: /INSERT/ });
    const reached = all.reached(2);
    expect(await tried(2)).toBe("xx");
    await reached;
    all.off();
    expect(await tried(1)).toBe(".");
    expect((await rows()).length).toBe(next - 1);
  });

  it("ends with the answer that the server gives, however late", async () => {
    await fresh();
    const one = await client();
    proxy.dropReply({ to: /INSERT/ });
    const blocker = new Client({ connectionString: cluster.primary.directConnectionString });
    await blocker.connect();
    onTestFinished(() => blocker.end());
    await blocker.query("BEGIN; LOCK TABLE t");
    let settled = false;
    const waiting = one.query("INSERT INTO t VALUES (1)").finally(() => (settled = true));
    waiting.catch(() => {});
    await until("the insert to wait", async () => {
      const found = await cluster.primary.query("SELECT FROM pg_locks WHERE NOT granted");
      return found.length === 1;
    });
    expect(settled).toBe(false);
    await blocker.query("COMMIT");
    await expect(waiting).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(await rows()).toEqual([1]);
  });
});

describe("cutBefore", () => {
  it("keeps the statement from the server", async () => {
    await fresh();
    const one = await client();
    const fault = proxy.cutBefore({ to: /INSERT/, times: 1 });
    await expect(one.query("INSERT INTO t VALUES ($1)", [1])).rejects.toMatchObject({ code: "ECONNRESET" });
    await until("the session to end", async () => (await sessions()) === 0);
    expect([fault.hits, await rows()]).toEqual([1, []]);
    await (await client()).query("INSERT INTO t VALUES ($1)", [2]);
    expect(await rows()).toEqual([2]);
  });
});

describe("inject", () => {
  it.each([
    ["a simple query", (one: Client) => one.query("INSERT INTO t VALUES (1)")],
    ["a statement with parameters", (one: Client) => one.query("INSERT INTO t VALUES ($1)", [1])],
  ])("answers %s with the error and keeps the connection", async (_, insert) => {
    await fresh();
    const one = await client();
    proxy.inject({ to: /INSERT/, sqlstate: "40001", message: "could not serialize access", times: 1 });
    await expect(insert(one)).rejects.toMatchObject({
      code: "40001",
      severity: "ERROR",
      message: "could not serialize access",
    });
    expect(await rows()).toEqual([]);
    await insert(one);
    expect(await rows()).toEqual([1]);
  });

  it("leaves the server's transaction failed, as a real error does", async () => {
    await fresh();
    const one = await client();
    proxy.inject({ to: /VALUES \(2\)/, sqlstate: "40P01", message: "deadlock detected" });
    await one.query("BEGIN");
    await one.query("INSERT INTO t VALUES (1)");
    await expect(one.query("INSERT INTO t VALUES (2)")).rejects.toMatchObject({ code: "40P01" });
    await expect(one.query("INSERT INTO t VALUES (3)")).rejects.toMatchObject({ code: "25P02" });
    expect((await one.query("COMMIT")).command).toBe("ROLLBACK");
    expect(await rows()).toEqual([]);
  });

  it("ends the connection after a fatal error", async () => {
    await fresh();
    const one = await client();
    proxy.inject({ to: /INSERT/, sqlstate: "57P01", message: "terminating connection", severity: "FATAL" });
    await expect(one.query("INSERT INTO t VALUES ($1)", [1])).rejects.toMatchObject({
      code: "57P01",
      severity: "FATAL",
    });
    await one.lost;
    await until("the session to end", async () => (await sessions()) === 0);
    expect(await rows()).toEqual([]);
  });
});

describe("startProxy", () => {
  it.each([
    [{ target: 0 }, "target must be an integer from 1 to 65535, got 0"],
    [{ target: 5432, port: -1 }, "port must be an integer from 0 to 65535, got -1"],
    [{ target: 5432, host: "0.0.0.0" }, "startProxy: unknown option host; known: target, targetHost, port, protocol"],
  ])("refuses %o", async (options, message) => {
    await expect(startProxy(options)).rejects.toThrow(new RangeError(message));
  });

  it("says when the port is taken", async () => {
    await fresh();
    await expect(startProxy({ target: 1, port: proxy.port })).rejects.toMatchObject({
      code: "ERR_BREAKWATER_CHAOS_SETUP",
    });
  });

  it("refuses bad arguments of every fault", async () => {
    await fresh();
    const to = /x/;
    expect(() => proxy.setLatency(-1)).toThrow("ms must be a number from 0 to 60000, got -1");
    expect(() => proxy.freeze("up" as never)).toThrow('direction must be one of "toServer", "toClient", got "up"');
    expect(() => proxy.refuse("rst" as never)).toThrow('mode must be one of "reset", "fin", got "rst"');
    expect(() => proxy.refuse({ sqlstate: "1", message: "m" })).toThrow("sqlstate must be five characters");
    expect(() => proxy.cutAll("drop" as never)).toThrow("mode must be one of");
    expect(() => proxy.dropReply({ to: "INSERT" as never })).toThrow("to must be a RegExp or a function");
    expect(() => proxy.dropReply({ to, every: 0 })).toThrow("every must be an integer of at least 1, got 0");
    expect(() => proxy.cutBefore({ to, times: 0 })).toThrow("times must be an integer of at least 1, got 0");
    expect(() => proxy.cutBefore({ to, probability: 2 })).toThrow("probability must be a number from 0 to 1, got 2");
    expect(() => proxy.inject({ to, sqlstate: "4000" })).toThrow("sqlstate must be five characters");
    expect(() => proxy.inject({ to, sqlstate: "40001", severity: "PANIC" as never })).toThrow(
      "severity must be one of",
    );
    expect(() => proxy.cutBefore({ to, wait: "reply" } as never)).toThrow("cutBefore: unknown option wait");
  });

  it("leaves nothing open after close, twice, in any state", async () => {
    await fresh();
    const { port } = proxy;
    const ones = [await client(), await client()] as const;
    proxy.setLatency(20_000);
    const waiting = ones[0].query("SELECT 1");
    waiting.catch(() => {});
    proxy.freeze();
    const half = connect(port, "127.0.0.1").on("error", () => {});
    await until("three connections", () => proxy.connections === 3);
    proxy.refuse({ sqlstate: "53300", message: "full" });
    const refused = connect(port, "127.0.0.1").on("error", () => {});
    await once(refused, "connect");
    await Promise.all([proxy.close(), proxy.close()]);
    await Promise.all([ones[0].lost, ones[1].lost]);
    await expect(waiting).rejects.toThrow(/ECONNRESET|terminated/);
    await until("all sockets to be closed", () => half.destroyed && refused.destroyed);
    expect(proxy.connections).toBe(0);
    await expect(client({ port })).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect(() => proxy.thaw()).toThrow("is closed");
    await until("the sessions to end", async () => (await sessions()) === 0);
  });
});

/** Clients of the server that came through the proxy. */
async function sessions(): Promise<number> {
  const [row] = await cluster.primary.query<{ count: number }>(
    "SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
  );
  return row?.count ?? -1;
}

async function listening(serve: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    serve(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
