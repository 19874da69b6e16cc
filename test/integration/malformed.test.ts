/**
 * Servers, or what stands in their place, that do not speak the protocol: a call fails and its connection is gone, in every
 * way to a connection. Nothing is thrown where nobody would catch it, and nothing reads on for ever.
 */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { database, type Database, failureOf } from "@breakwater/core";
import { asPgPool, fromPg, type FromPgOptions } from "@breakwater/pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorOf, until } from "../support/wait.ts";

const message = (letter: string, ...parts: (Buffer | string)[]): Buffer => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  const header = Buffer.alloc(5);
  header.write(letter);
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
};
const numbers = (...bytes: number[]): Buffer => Buffer.from(bytes);

const READY = message("Z", "I");
const STARTED = Buffer.concat([message("R", numbers(0, 0, 0, 0)), message("K", Buffer.alloc(8)), READY]);
const COLUMN = message(
  "T",
  numbers(0, 1),
  "n\0",
  numbers(0, 0, 0, 0, 0, 0, 0, 0, 0, 23, 0, 4, 255, 255, 255, 255, 0, 0),
);
const BOUND = Buffer.concat([message("1"), message("2"), COLUMN]);
const ANSWER = Buffer.concat([BOUND, message("D", numbers(0, 1, 0, 0, 0, 1), "7"), message("C", "SELECT 1\0"), READY]);

/** What comes instead of messages; in pieces that arrive one by one. */
const MALFORMED: Readonly<Record<string, readonly Buffer[]>> = {
  "another protocol": [Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
  zeros: [Buffer.alloc(64)],
  "a negative length": [Buffer.alloc(64, 0xff)],
  "a length that is none": [message("C", "x").fill(3, 4, 5)],
  "an endless length": [numbers(0x44, 0x7f, 0xff, 0xff, 0xff)],
  "a header in two pieces": [numbers(0x44, 0x7f), numbers(0xff, 0xff, 0xff)],
  "columns that are not there": [message("T", numbers(0, 5), "abc")],
  "an error without an end": [message("E", "Sfoo\0")],
  "an error without an end, in pieces": [message("E", "SERROR\0").subarray(0, 6), Buffer.from("ERROR\0")],
  "an error of nothing": [message("E")],
  "a notice without an end": [message("N", "Sfoo")],
  "an unknown message": [message("?", "x")],
};

/** When it comes. */
type Moment = "at the beginning" | "during the login" | "instead of an answer" | "within an answer" | "to nobody";

const WAYS: readonly (readonly [string, FromPgOptions, (db: Database) => Promise<unknown>])[] = [
  ["a read", {}, (db) => db.query("SELECT 7 AS n")],
  ["a read that shares nothing", { pipeline: false }, (db) => db.query("SELECT 7 AS n")],
  ["a write", {}, (db) => db.query("UPDATE t SET n = $1", [7])],
  ["a transaction", {}, (db) => db.transaction((tx) => tx.query("SELECT 7 AS n"))],
  ["a batch", {}, (db) => db.batch(["SELECT 7 AS n", "SELECT 8 AS n"])],
  [
    "a session",
    {},
    async (db) => {
      using held = await db.connect();
      await held.query("SELECT 7 AS n");
    },
  ],
  ["a pg.Pool", {}, (db) => asPgPool(db).query("SELECT 7 AS n")],
];

describe("what is no message of the protocol", () => {
  const sockets = new Set<Socket>();
  let server: Server;
  let port = 0;
  let moment: Moment;
  let pieces: readonly Buffer[] = [];

  beforeAll(async () => {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
      const spoil = (before?: Buffer): void => {
        const [first = Buffer.alloc(0), ...later] = pieces;
        socket.write(before === undefined ? first : Buffer.concat([before, first]));
        for (const piece of later) setTimeout(() => socket.writable && socket.write(piece), 5);
      };
      let greeted = false;
      socket.on("data", () => {
        if (greeted) {
          if (moment === "instead of an answer") spoil();
          else if (moment === "within an answer") spoil(BOUND);
          else socket.write(ANSWER);
          return;
        }
        greeted = true;
        if (moment === "at the beginning") spoil();
        else if (moment === "during the login") spoil(message("R", numbers(0, 0, 0, 0)));
        else socket.write(STARTED);
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ({ port } = server.address() as { port: number });
  });

  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  function open(options: FromPgOptions): Database {
    const limits = { acquireTimeoutMs: 5_000, connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };
    const config = { host: "127.0.0.1", port, user: "u", database: "d", password: "p" };
    return database(fromPg(config, { pooler: "none", max: 1, ...limits, ...options }));
  }

  /** Every kind for one way, and every way for some kinds. */
  const CASES = Object.entries(MALFORMED).flatMap(([kind, given]) => {
    const everyWay = ["another protocol", "columns that are not there", "an error without an end"].includes(kind);
    return WAYS.slice(0, everyWay ? WAYS.length : 1).map(([way, options, run]) => ({ kind, given, way, options, run }));
  });

  it.each(CASES)("($kind) fails $way, whenever it comes, and its connection is gone", async (each) => {
    pieces = each.given;
    for (moment of ["at the beginning", "during the login", "instead of an answer", "within an answer"] as const) {
      const db = open(each.options);
      const error = await errorOf(each.run(db));
      const connecting = moment === "at the beginning" || moment === "during the login";
      expect(`${moment}: ${failureOf(error).phase}`).toBe(`${moment}: ${connecting ? "connect" : "running"}`);
      const unknown = each.way === "a write" && !connecting;
      expect(failureOf(error)).toMatchObject({ effect: unknown ? "unknown" : "none", connection: "destroy" });
      await until("the link to be gone", () => sockets.size === 0 && db.stats().total === 0);
      await db.close();
    }
  });

  it.each(Object.entries(MALFORMED))("(%s) ends a connection that nobody uses, which is told", async (_, given) => {
    moment = "to nobody";
    const db = open({});
    const lost: unknown[] = [];
    db.on("connection:lost", ({ error }) => lost.push(error));
    await db.ready();
    const [socket] = sockets;
    for (const piece of given) {
      if (lost.length === 0) socket?.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await until("it to be told", () => lost.length === 1);
    expect(lost[0]).toBeInstanceOf(Error);
    await until("it to be gone", () => db.stats().total === 0);
    expect((await db.query("SELECT 7 AS n")).rows).toEqual([{ n: 7 }]);
    await db.close();
    await until("the link to be gone", () => sockets.size === 0);
  });
});
