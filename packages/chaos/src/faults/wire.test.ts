import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { seededRandom } from "@breakwater/core";
import { Client, type ClientConfig } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import type { RefuseMode } from "../proxy/disturbance.ts";
import type { FaultProxy } from "../proxy/fault-proxy.ts";
import { startProxy } from "../proxy/proxy.ts";
import { until } from "../wait.ts";
import type { ActiveFault } from "./active-fault.ts";
import { Faults } from "./faults.ts";
import type { WireFaults } from "./wire.ts";

let cluster: Cluster;
let faults: Faults;
let wire: WireFaults;

beforeAll(async () => {
  cluster = await startCluster({ replicas: 0 });
  await cluster.primary.query("CREATE TABLE t (i int)");
});
afterAll(() => cluster?.close());
beforeEach(() => until("earlier clients to be gone", () => cluster.primary.proxy.connections === 0));
afterEach(async () => {
  await faults?.close();
  await cluster.primary.query("TRUNCATE t");
});

function begin(): WireFaults {
  faults = new Faults({ cluster });
  wire = faults.wire(cluster.primary);
  return wire;
}

async function client(config: ClientConfig = {}): Promise<Client & { lost: Promise<Error> }> {
  const made = new Client({ connectionString: cluster.primary.connectionString, ...config });
  const lost = new Promise<Error>((resolve) => made.on("error", resolve));
  onTestFinished(() => void made.end().catch(() => {}));
  await made.connect();
  return Object.assign(made, { lost });
}

async function rows(): Promise<number[]> {
  const found = await cluster.primary.query<{ i: number }>("SELECT i FROM t ORDER BY i");
  return found.map((row) => row.i);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

describe("faults on the wire", () => {
  it("drop the reply to the n-th COMMIT, however it is written", async () => {
    const fault = begin().dropCommitReply({ nth: 3 });
    const one = await client();
    for (const [at, commit] of ["COMMIT", "/* app */ commit;"].entries()) {
      await one.query("BEGIN");
      await one.query(`INSERT INTO t VALUES (${at})`);
      await one.query(commit);
    }
    await one.query("BEGIN");
    await one.query("INSERT INTO t VALUES (2)");
    await expect(one.query("END")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect([fault.hits, await rows()]).toEqual([1, [0, 1, 2]]);
    expect(fault.endedMs).toBeTypeOf("number");
    await (await client()).query("BEGIN; COMMIT");
  });

  it.each(["SELECT 1 AS committed", "COMMIT PREPARED 'x'", "DO $$ BEGIN PERFORM 1; END $$", "ROLLBACK"])(
    "take no COMMIT out of %s",
    async (text) => {
      const fault = begin().dropCommitReply();
      await (await client()).query(text).catch(() => {});
      expect(fault.hits).toBe(0);
    },
  );

  it("cut after Parse: the server has prepared it and never runs it", async () => {
    const fault = begin().cutAfterParse({ to: /INSERT/, times: 1 });
    const one = await client();
    await one.query("INSERT INTO t VALUES (1)"); // a simple query is not prepared
    await expect(one.query("INSERT INTO t VALUES ($1)", [2])).rejects.toMatchObject({ code: "ECONNRESET" });
    await until("the session to end", async () => (await sessions()) === 0);
    expect([fault.hits, await rows()]).toEqual([1, [1]]);
    // What the server prepares is in its log, when told so.
    const logged = await prepared("SELECT $1::int AS cut_after_parse");
    expect(logged).toContain("parse <unnamed>: SELECT $1::int AS cut_after_parse");
    expect(logged).not.toContain("execute <unnamed>: SELECT $1::int AS cut_after_parse");
  });

  /** The server's log of a statement that is cut after its Parse. */
  async function prepared(text: string): Promise<string> {
    await cluster.primary.query("ALTER SYSTEM SET log_min_duration_statement = 0");
    await cluster.primary.query("SELECT pg_reload_conf()");
    await until("the setting", async () => {
      const [row] = await cluster.primary.query<{ v: string }>(
        "SELECT current_setting('log_min_duration_statement') v",
      );
      return row?.v === "0";
    });
    const one = await client();
    wire.cutAfterParse({ to: /cut_after_parse/ });
    await one.query(text, [1]).catch(() => {});
    await until("the session to end", async () => (await sessions()) === 0);
    await cluster.primary.query("ALTER SYSTEM RESET log_min_duration_statement");
    await cluster.primary.query("SELECT pg_reload_conf()");
    return cluster.primary.logTail(200);
  }

  it.each([
    ["a simple query", (one: Client) => one.query("INSERT INTO t VALUES (1) RETURNING i")],
    ["a statement with parameters", (one: Client) => one.query("INSERT INTO t VALUES ($1) RETURNING i", [1])],
  ])("cut before ReadyForQuery: the answer of %s arrives, and the connection is gone", async (_, insert) => {
    const fault = begin().cutBeforeReady({ to: /INSERT/ });
    const one = await client();
    let completed = "";
    const connection = (one as unknown as { connection: NodeJS.EventEmitter }).connection;
    connection.on("commandComplete", (message: { text: string }) => (completed = message.text));
    await expect(insert(one)).rejects.toMatchObject({ code: "ECONNRESET" });
    expect([completed, fault.hits, await rows()]).toEqual(["INSERT 0 1", 1, [1]]);
    await until("the session to end", async () => (await sessions()) === 0);
  });

  it.each([
    ["a simple query", (one: Client) => one.query("SELECT 1 AS one")],
    ["a statement with parameters", (one: Client) => one.query("SELECT $1::int AS one", [1])],
  ])("say a notice with the answer of %s", async (_, ask) => {
    const one = await client();
    const notices: unknown[] = [];
    one.on("notice", ({ severity, code, message }) => notices.push([severity, code, message]));
    const fault = begin().notice({ to: /SELECT/, sqlstate: "01000", message: "low on space" });
    expect((await ask(one)).rows).toEqual([{ one: 1 }]);
    expect([notices, fault.hits]).toEqual([[["WARNING", "01000", "low on space"]], 1]);
  });

  it.each([
    { message: "CommandComplete", ms: 120 },
    { message: "Q", direction: "toServer", ms: 120 },
    { message: "ReadyForQuery", ms: 120 },
  ] as const)("delay $message alone", async (options) => {
    const one = await client();
    await one.query("SELECT 1");
    const fault = begin().delayMessage({ ...options, times: 2 });
    expect(await timed(() => one.query("SELECT 1"))).toBeGreaterThanOrEqual(119);
    expect(await timed(() => one.query("SELECT 2"))).toBeGreaterThanOrEqual(119);
    expect([fault.hits, fault.endedMs === undefined]).toEqual([2, false]);
    expect((await one.query("SELECT 3 AS n")).rows).toEqual([{ n: 3 }]);
  });

  it("delay a message in the middle of a pipeline, and not what came before it", async () => {
    const one = await client();
    begin().delayMessage({ message: "ErrorResponse", ms: 200 });
    const began = performance.now();
    const [first, second] = [one.query("SELECT 1"), one.query("SELECT nothing")];
    await first;
    const early = performance.now() - began;
    await expect(second).rejects.toMatchObject({ code: "42703" });
    expect(performance.now() - began - early).toBeGreaterThanOrEqual(150);
  });

  it("hold a limit of bytes in a second, both ways", async () => {
    const one = await client();
    const fault = begin().bandwidth({ bytesPerSecond: 200_000 });
    const found = await timedRows(one, "SELECT repeat('x', 60000) AS x");
    expect(found.ms).toBeGreaterThan(200);
    expect(found.rows).toEqual([{ x: "x".repeat(60_000) }]);
    expect(await timed(() => one.query("SELECT length($1::text)", ["y".repeat(60_000)]))).toBeGreaterThan(200);
    await fault.off();
    expect((await timedRows(one, "SELECT repeat('x', 600000) AS x")).rows[0]?.x).toHaveLength(600_000);
  });

  async function timedRows(one: Client, text: string): Promise<{ ms: number; rows: { x: string }[] }> {
    let found: { x: string }[] = [];
    const ms = await timed(async () => {
      found = (await one.query<{ x: string }>(text)).rows;
    });
    return { ms, rows: found };
  }

  it.each([1, 3, 7])("cut everything into pieces of %s bytes, also within headers", async (bytes) => {
    const fault = begin().slice({ bytes });
    const one = await client();
    const pieces: number[] = [];
    const { stream } = (one as unknown as { connection: { stream: Socket } }).connection;
    stream.on("data", (chunk: Buffer) => pieces.push(chunk.length));
    const { rows: found } = await one.query("SELECT i, $1::text AS text FROM generate_series(1, 20) i", ["äöü"]);
    expect(found).toEqual(Array.from({ length: 20 }, (_, i) => ({ i: i + 1, text: "äöü" })));
    expect(pieces.length).toBeGreaterThan(20);
    expect(fault.hits).toBeGreaterThan(0);
  });

  it("end connections slowly", async () => {
    const one = await client();
    begin().slowClose({ ms: 150 });
    await one.query("SELECT 1");
    const ms = await timed(async () => {
      await one.end();
      await until("the server to notice", async () => (await sessions()) === 0, { everyMs: 5 });
    });
    expect(ms).toBeGreaterThanOrEqual(149);
  });

  it("refuse with the server's words, and cut", async () => {
    const one = await client();
    const refused = begin().refuse({ mode: { sqlstate: "57P03", message: "the database system is starting up" } });
    await expect(client()).rejects.toMatchObject({ code: "57P03", severity: "FATAL" });
    expect(refused.hits).toBe(1);
    const cut = wire.cut();
    await one.lost;
    expect([cut.hits, cut.endedMs]).toEqual([1, expect.any(Number)]);
    await refused.off();
    await client();
  });

  it("pretend that the server has become a standby, to those who are there and to those who come", async () => {
    const told = async (): Promise<{ one: Client; said: string[] }> => {
      const said: string[] = [];
      const made = new Client(cluster.primary.connectionString);
      onTestFinished(() => made.end());
      const { connection } = made as unknown as { connection: NodeJS.EventEmitter };
      connection.on("parameterStatus", (message: { parameterName: string; parameterValue: string }) => {
        if (message.parameterName === "in_hot_standby") said.push(message.parameterValue);
      });
      await made.connect();
      return { one: made, said };
    };
    const old = await told();
    expect(old.said).toEqual(["off"]);
    const fault = begin().pretendStandby();
    await until("the old client to be told", () => old.said.length === 2);
    const late = await told();
    expect([old.said, late.said, fault.hits]).toEqual([["off", "on"], ["on"], 2]);
    await old.one.query("SELECT 1");
    await fault.off();
    await until("the truth to be told", () => old.said.length === 3 && late.said.length === 2);
    expect([old.said, late.said]).toEqual([
      ["off", "on", "off"],
      ["on", "off"],
    ]);
    expect((await late.one.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });
});

describe("several faults at the same time", () => {
  it("add up on the network, and end each for itself", async () => {
    const one = await client();
    const first = begin().latency({ ms: 60 });
    const second = wire.latency({ ms: 60, direction: "toServer" });
    expect(await timed(() => one.query("SELECT 1"))).toBeGreaterThanOrEqual(179);
    await first.off();
    const half = await timed(() => one.query("SELECT 1"));
    expect(half).toBeGreaterThanOrEqual(59);
    await second.off();
    const frozen = [wire.freeze(), wire.freeze({ direction: "toClient" })] as const;
    let settled = false;
    const waiting = one.query("INSERT INTO t VALUES (1)").then(() => (settled = true));
    await frozen[0].off();
    await until("the row to be there", async () => (await rows()).length === 1);
    expect(settled).toBe(false);
    await frozen[1].off();
    await waiting;
  });

  it("let the first one that strikes a statement decide, and count no other", async () => {
    const one = await client();
    const first = begin().inject({ to: /INSERT/, sqlstate: "40001", times: 1 });
    const second = wire.dropReply({ to: /INSERT/ });
    await expect(one.query("INSERT INTO t VALUES (1)")).rejects.toMatchObject({ code: "40001" });
    expect([first.hits, second.hits, await rows()]).toEqual([1, 0, []]);
    await expect(one.query("INSERT INTO t VALUES (2)")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect([first.hits, second.hits, await rows()]).toEqual([1, 1, [2]]);
  });

  it("keep the fate of a statement whose fault ends while it is struck", async () => {
    const blocker = new Client(cluster.primary.directConnectionString);
    await blocker.connect();
    onTestFinished(() => blocker.end());
    await blocker.query("BEGIN; LOCK TABLE t");
    const one = await client();
    const fault = begin().dropReply({ to: /INSERT/ });
    const waiting = one.query("INSERT INTO t VALUES (1)");
    waiting.catch(() => {});
    await fault.reached(1);
    await fault.off();
    await blocker.query("COMMIT");
    await expect(waiting).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(await rows()).toEqual([1]);
  });

  it("go on and off under load without losing, doubling or hanging a statement", async () => {
    begin();
    const clients = await Promise.all(Array.from({ length: 8 }, () => client()));
    const load = { on: true, answered: 0 };
    const switching = (async () => {
      for (let round = 0; round < 60 || load.answered <= 20; round++) {
        const now = [wire.latency({ ms: 1 }), wire.slice({ bytes: 11 }), wire.bandwidth({ bytesPerSecond: 500_000 })];
        now.push(wire.freeze(), wire.delayMessage({ message: "CommandComplete", ms: 1 }), wire.notice({ to: /./ }));
        now.push(wire.pretendStandby());
        await new Promise((resolve) => setTimeout(resolve, 3));
        for (const fault of now) await fault.off();
        await new Promise((resolve) => setImmediate(resolve));
      }
      load.on = false;
    })();
    const counts = await Promise.all(
      clients.map(async (one, at) => {
        let count = 0;
        while (load.on) {
          const { rows: found } = await one.query("INSERT INTO t VALUES ($1) RETURNING i", [at]);
          expect(found).toEqual([{ i: at }]);
          count++;
          load.answered++;
        }
        return count;
      }),
    );
    await switching;
    const total = counts.reduce((sum, count) => sum + count, 0);
    expect(total).toBe(load.answered);
    expect(await rows()).toHaveLength(total);
    expect(faults.record().every(({ endedMs, beganMs }) => endedMs !== undefined && endedMs >= beganMs)).toBe(true);
  });
});

describe("faults of all kinds at random", () => {
  it.each([1, 2, 3])("keep nobody waiting and no acknowledged write from being there (seed %s)", async (seed) => {
    begin();
    const random = seededRandom(seed);
    const pick = <T>(from: readonly [T, ...T[]]): T => from[Math.floor(random() * from.length)] ?? from[0];
    const to = /INSERT/;
    const kinds: [() => ActiveFault, ...(() => ActiveFault)[]] = [
      () => wire.dropReply({ to, wait: pick(["reply", "none"] as const), probability: 0.3, random }),
      () => wire.dropCommitReply({ nth: 2 }),
      () => wire.cutBefore({ to, probability: 0.3, random }),
      () => wire.cutAfterParse({ to, probability: 0.3, random }),
      () => wire.cutBeforeReady({ to, probability: 0.3, random }),
      () => wire.inject({ to, sqlstate: "40001", severity: pick(["ERROR", "FATAL"] as const), every: 3 }),
      () => wire.notice({ to }),
      () => wire.delayMessage({ message: pick(["Query", "Parse", "DataRow", "ReadyForQuery"]), ms: 3 }),
      () => wire.pretendStandby({ standby: random() < 0.5 }),
      () => wire.latency({ ms: 2, jitterMs: 3, random }),
      () => wire.slice({ bytes: pick([1, 5, 50]) }),
      () => wire.bandwidth({ bytesPerSecond: 100_000 }),
      () => wire.freeze({ direction: pick(["toServer", "toClient"] as const) }),
      () => wire.slowClose({ ms: 5 }),
      () => wire.refuse({ mode: pick<RefuseMode>(["reset", "fin", { sqlstate: "53300", message: "full" }]) }),
      () => wire.cut({ mode: pick(["reset", "fin"] as const) }),
    ];
    const load = { on: true };
    const outcome = new Map<number, "ok" | "unknown" | "fail">();
    const of = (what: string): number[] => [...outcome].filter(([, one]) => one === what).map(([i]) => i);
    // Until there was enough of everything, however busy the machine.
    const enough = (): boolean => [of("ok").length, of("unknown").length].every((number) => number > 5);
    const striking = (async () => {
      for (let round = 0; round < 80 || !enough(); round++) {
        const now = [pick(kinds)(), pick(kinds)()];
        await new Promise((resolve) => setTimeout(resolve, 4 + random() * 8));
        await Promise.all(now.map((fault) => fault.off()));
      }
      load.on = false;
    })();
    let next = 0;
    const worker = async (): Promise<void> => {
      while (load.on) {
        const one = new Client(cluster.primary.connectionString);
        one.on("error", () => {});
        const connected = await one.connect().then(
          () => true,
          () => false,
        );
        if (!connected) continue;
        for (let go = 0; load.on && go < 20; go++) {
          const i = next++;
          const how = i % 3;
          const insert =
            how === 0
              ? one.query(`INSERT INTO t VALUES (${i})`)
              : how === 1
                ? one.query("INSERT INTO t VALUES ($1)", [i])
                : one
                    .query("BEGIN")
                    .then(() => one.query("INSERT INTO t VALUES ($1)", [i]))
                    .then(() => one.query("COMMIT"));
          const result = await insert.then(
            (answer) => (answer.command === "ROLLBACK" ? "fail" : "ok"),
            (error: { code?: string }) => (error.code === "40001" ? "fail" : "unknown"),
          );
          outcome.set(i, result);
          if (result === "fail" && how === 2) await one.query("ROLLBACK").catch(() => {});
          if (result === "unknown") break;
        }
        await one.end().catch(() => {});
      }
    };
    await Promise.all([striking, ...Array.from({ length: 6 }, worker)]);
    await until("all connections to be gone", () => cluster.primary.proxy.connections === 0);
    await until("the server to be done", async () => (await sessions()) === 0);
    const there = await rows();
    expect(new Set(there).size).toBe(there.length);
    expect(of("ok").filter((i) => !there.includes(i))).toEqual([]);
    expect(of("fail").filter((i) => there.includes(i))).toEqual([]);
  });
});

describe("a cancel request", () => {
  it("waits in a frozen proxy, and cancels when that is over", async () => {
    const one = await client();
    const running = one.query("SELECT pg_sleep(60)");
    const { processID, secretKey } = one as unknown as { processID: number; secretKey: number };
    await until("the statement to run", async () => (await active(processID)) === 1);
    const fault = begin().freeze();
    const packet = Buffer.alloc(16);
    for (const [at, value] of [16, 80_877_102, processID, secretKey].entries()) packet.writeInt32BE(value, at * 4);
    const socket = connect(cluster.primary.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.end(packet);
    await fault.reached(2);
    expect(await active(processID)).toBe(1);
    await fault.off();
    await expect(running).rejects.toMatchObject({ code: "57014" });
  });
});

describe("bytes that nobody can read", () => {
  async function echo(): Promise<number> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    return (server.address() as { port: number }).port;
  }

  async function opaque(): Promise<FaultProxy> {
    const proxy = await startProxy({ target: await echo(), protocol: "bytes" });
    onTestFinished(() => proxy.close());
    return proxy;
  }

  async function speak(port: number, bytes: Buffer): Promise<Buffer> {
    const socket = connect(port, "127.0.0.1");
    socket.end(bytes);
    const back: Buffer[] = [];
    for await (const chunk of socket) back.push(chunk as Buffer);
    return Buffer.concat(back);
  }

  it("pass unchanged, whatever they look like, also late, slow and in pieces", async () => {
    const proxy = await opaque();
    faults = new Faults();
    const bytes = Buffer.from(Array.from({ length: 3000 }, (_, at) => (at * 7) % 256));
    bytes.set([0x4a, 0, 0, 0, 10, 0x45, 0xff, 0xff, 0xff, 0xff, 0x5a, 0, 0, 0, 5]);
    expect(await speak(proxy.port, bytes)).toEqual(bytes);
    await using _slices = faults.wire(proxy).slice({ bytes: 13 });
    await using _late = faults.wire(proxy).latency({ ms: 30, jitterMs: 10, random: () => 0.5 });
    await using slow = faults.wire(proxy).bandwidth({ bytesPerSecond: 50_000 });
    const began = performance.now();
    expect(await speak(proxy.port, bytes)).toEqual(bytes);
    expect(performance.now() - began).toBeGreaterThanOrEqual(69);
    expect(slow.hits).toBe(1);
  });

  it("can be frozen and cut, and their proxy closed meanwhile", async () => {
    const proxy = await opaque();
    const socket = connect(proxy.port, "127.0.0.1");
    const closed = new Promise<void>((resolve) => socket.on("error", () => {}).on("close", () => resolve()));
    faults = new Faults();
    const frozen = faults.wire(proxy).freeze();
    socket.write("x".repeat(100));
    await frozen.reached(1);
    await proxy.close();
    await closed;
    await frozen.off();
    expect([proxy.connections, frozen.endedMs === undefined]).toEqual([0, false]);
  });

  it("have no statements: to strike one is refused by name", async () => {
    const proxy = await opaque();
    faults = new Faults();
    const opaqueWire = faults.wire(proxy);
    const state = expect.objectContaining({ code: "ERR_BREAKWATER_CHAOS_STATE" });
    expect(() => opaqueWire.dropReply({ to: /x/ })).toThrow(state);
    expect(() => opaqueWire.delayMessage({ message: "Query", ms: 1 })).toThrow(state);
    expect(() => opaqueWire.pretendStandby()).toThrow(state);
    expect(faults.record()).toEqual([]);
  });

  it("are what TLS makes of a connection to PostgreSQL", async () => {
    const port = await echo();
    const proxy = await startProxy({ target: port });
    onTestFinished(() => proxy.close());
    // The echo answers the request for TLS with its first byte, which is not "N": agreed on.
    const socket = connect(proxy.port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
    await once(socket, "data");
    faults = new Faults();
    expect(() => faults.wire(proxy).dropReply({ to: /x/ })).toThrow("1 clients of the proxy");
    const late = faults.wire(proxy).latency({ ms: 40 });
    const began = performance.now();
    socket.write("more");
    await once(socket, "data");
    expect(performance.now() - began).toBeGreaterThanOrEqual(79);
    await late.off();
  });
});

describe("bad options", () => {
  it("are refused by name, and nothing begins", async () => {
    const bad = begin();
    const to = /x/;
    expect(() => bad.latency({ ms: -1 })).toThrow(new RangeError("ms must be a number from 0 to 60000, got -1"));
    expect(() => bad.latency({ ms: 1, direction: "up" as never })).toThrow("direction must be one of");
    expect(() => bad.latency({} as never)).toThrow("ms must be a number");
    expect(() => bad.latency({ ms: 1, to } as never)).toThrow("latency: unknown option to");
    expect(() => bad.bandwidth({ bytesPerSecond: 0 })).toThrow("bytesPerSecond must be an integer of at least 1");
    expect(() => bad.slice({ bytes: 0.5 })).toThrow("bytes must be an integer of at least 1");
    expect(() => bad.slowClose({ ms: 1e9 })).toThrow("ms must be a number from 0 to 60000");
    expect(() => bad.refuse({ mode: "no" as never })).toThrow('mode must be one of "reset", "fin"');
    expect(() => bad.refuse({} as never)).toThrow('mode must be one of "reset", "fin"');
    expect(() => bad.cut({ mode: "no" as never })).toThrow('mode must be one of "reset", "fin"');
    expect(() => bad.freeze({ ms: 1 } as never)).toThrow("freeze: unknown option ms");
    expect(() => bad.pretendStandby({ standby: "on" as never })).toThrow("standby must be true or false");
    expect(() => bad.notice({ to, severity: "ERROR" as never })).toThrow("severity must be one of");
    expect(() => bad.dropCommitReply({ nth: 0 })).toThrow("nth must be an integer of at least 1");
    expect(() => bad.dropCommitReply({ to } as never)).toThrow("dropCommitReply: unknown option to");
    expect(() => bad.cutAfterParse({ to: "x" as never })).toThrow("to must be a RegExp or a function");
    expect(() => bad.delayMessage({ message: "Nothing", ms: 1 })).toThrow("message must be a type letter or one of");
    expect(() => bad.delayMessage({ message: "CopyData", ms: 1 })).toThrow(
      'direction must be "toServer" or "toClient"',
    );
    expect(() => bad.delayMessage({ message: "Query", ms: 1, direction: "toClient" })).toThrow("that goes toClient");
    expect(() => faults.policy({} as never, {})).toThrow("policy must be a policy with inject()");
    expect(() => new Faults({ clock: 1 } as never)).toThrow("Faults: unknown option clock");
    expect(faults.record()).toEqual([]);
    await faults.close();
    expect(() => bad.freeze()).toThrow("the faults are closed");
  });
});

/** Clients of the server that came through the proxy. */
async function sessions(): Promise<number> {
  const [row] = await cluster.primary.query<{ count: number }>(
    `SELECT count(*)::int FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND application_name <> 'breakwater-chaos' AND pid <> pg_backend_pid()`,
  );
  return row?.count ?? -1;
}

async function active(pid: number): Promise<number> {
  const found = await cluster.primary.query(
    "SELECT FROM pg_stat_activity WHERE pid = $1 AND state = 'active' AND wait_event = 'PgSleep'",
    [pid],
  );
  return found.length;
}
