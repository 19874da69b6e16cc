import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { QueryResult, Statement } from "@breakwater/core";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WireLink } from "./link.ts";
import { Texts } from "./texts.ts";

/** One message: its letter, its length, its content. */
function message(letter: string, content: Buffer | string = ""): Buffer {
  const body = Buffer.from(content as string);
  const head = Buffer.alloc(5);
  head.write(letter);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const READY = message("Z", "I");
const WELCOME = Buffer.concat([message("R", Buffer.alloc(4)), message("K", Buffer.alloc(8)), READY]);

/** One column of text with one row, and how it went. */
function answer(value: string): Buffer {
  const column = Buffer.concat([Buffer.from("\0\u0001one\0", "latin1"), Buffer.alloc(6), Buffer.from([0, 0, 0, 25])]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(value.length);
  return Buffer.concat([
    message("1"),
    message("2"),
    message("T", Buffer.concat([column, Buffer.alloc(8)])),
    message("D", Buffer.concat([Buffer.from([0, 1]), length, Buffer.from(value)])),
    message("C", "SELECT 1\0"),
    READY,
  ]);
}

const notice = (text: string): Buffer => message("N", `SNOTICE\0C00000\0M${text}\0\0`);
const fatal = message("E", "SFATAL\0VFATAL\0C57P01\0Mgoing\0\0");

describe("a link that is read past its client", () => {
  let server: Server;
  let peer: Socket;
  let client: pg.Client & { readonly readyForQuery?: boolean };
  let link: WireLink;
  const heard: unknown[] = [];

  beforeEach(async () => {
    heard.length = 0;
    server = createServer((socket) => {
      peer = socket.setNoDelay(true);
      socket.once("data", () => socket.write(WELCOME));
      socket.on("error", () => undefined);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    client = new pg.Client({
      host: "127.0.0.1",
      port: (server.address() as AddressInfo).port,
      user: "u",
      database: "d",
    });
    client.on("notice", ({ message: text }) => heard.push(text));
    client.on("error", (error: { readonly code?: string; readonly message: string }) =>
      heard.push(error.code ?? error.message),
    );
    link = WireLink.of(client, new Texts(false), true) as WireLink;
    await client.connect();
  });

  afterEach(async () => {
    peer.destroy();
    server.close();
    await client.end().catch(() => undefined);
  });

  const send = (values: readonly unknown[] = []): Promise<QueryResult> =>
    new Promise((answered, failed) => {
      const statement: Statement = { text: "SELECT one", values };
      link.send(statement, { answered, failed });
      link.flush();
    });
  const asked = (): Promise<unknown> => once(peer, "data");
  /** Writes what the link must read in two goes. */
  const write = async (bytes: Buffer): Promise<void> => {
    const stream = client.connection.stream as Socket;
    const before = stream.bytesRead;
    peer.write(bytes);
    await expect.poll(() => stream.bytesRead).toBe(before + bytes.length);
  };

  it("reads an answer that comes in two pieces, wherever it is cut", async () => {
    const whole = answer("the value");
    for (let cut = 1; cut < whole.length; cut += 7) {
      link.stays = cut % 2 === 0;
      const sent = send();
      await asked();
      await write(whole.subarray(0, cut));
      await write(whole.subarray(cut));
      expect((await sent).rows).toEqual([{ one: "the value" }]);
    }
  });

  it("hands on what is not an answer, whole and unchanged, although it comes in pieces", async () => {
    const [first, second] = [notice("the first of two"), notice("the second of two")];
    const sent = send();
    await asked();
    await write(Buffer.concat([first, second.subarray(0, 9)]));
    await write(Buffer.concat([second.subarray(9), answer("x")]));
    await sent;
    // Nothing is under way: the client reads for itself.
    await write(first.subarray(0, 11));
    await write(first.subarray(11));
    await expect.poll(() => heard).toEqual(["the first of two", "the second of two", "the first of two"]);
  });

  it("leaves the link to its client when nothing is under way, at once or when it is told to", async () => {
    for (const stays of [false, true]) {
      const sent = send();
      link.stays = stays;
      await asked();
      peer.write(answer("x"));
      await sent;
      expect(client.readyForQuery).toBe(!stays);
      expect(link.status).toBe(stays ? "I" : undefined);
      link.leave();
      expect([client.readyForQuery, link.status]).toEqual([true, undefined]);
    }
  });

  it("sends more while it stays, without asking the client", async () => {
    link.stays = true;
    for (const value of ["a", "b"]) {
      const sent = send();
      await asked();
      peer.write(answer(value));
      expect((await sent).rows).toEqual([{ one: value }]);
    }
    expect(client.readyForQuery).toBe(false);
  });

  it("lets the client hear an error that comes together with the last answer", async () => {
    const sent = send();
    link.stays = true;
    await asked();
    peer.write(Buffer.concat([answer("x"), fatal]));
    expect((await sent).rows).toEqual([{ one: "x" }]);
    await expect.poll(() => heard).toEqual(["57P01"]);
    // It sends no more.
    const lost = send();
    await expect(lost).rejects.toThrow("not queryable");
  });

  it("tells what is under way when the link is lost", async () => {
    const both = [send(), send()].map((sent) => sent.catch(({ message: text }: Error) => text));
    await asked();
    peer.write(answer("x").subarray(0, 20));
    peer.end();
    expect(await Promise.all(both)).toEqual(Array(2).fill("Connection terminated unexpectedly"));
  });
});
