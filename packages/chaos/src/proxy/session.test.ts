import { describe, expect, it } from "vitest";
import { failureMark } from "./messages.ts";
import { Session } from "./session.ts";
import type { SessionLink } from "./session-link.ts";
import type { Strike } from "./strike.ts";

function message(type: string, body = ""): Buffer {
  const bytes = Buffer.alloc(5 + Buffer.byteLength(body));
  bytes.write(type, 0, "latin1");
  bytes.writeUInt32BE(bytes.length - 1, 1);
  bytes.write(body, 5);
  return bytes;
}

const startupPacket = Buffer.from([0, 0, 0, 9, 0, 3, 0, 0, 0]);
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const query = (text: string): Buffer => message("Q", `${text}\0`);
const parse = (name: string, text: string): Buffer => message("P", `${name}\0${text}\0\0\0`);
const bind = (name: string): Buffer => message("B", `\0${name}\0\0\0\0\0\0\0`);
const execute = message("E", "\0\0\0\0\0");
const [sync, flush] = [message("S"), message("H")];
const ready = (status = "I"): Buffer => message("Z", status);
const complete = message("C", "SELECT 1\0");

/** A connection on which nothing is done, with no fault on. */
const still: SessionLink = {
  watched: true,
  standby: undefined,
  toServer: () => {},
  toClient: () => {},
  resetClient: () => {},
  resetClientLater: () => {},
  endClient: () => {},
  endServer: () => {},
  dropServer: () => {},
  delay: () => {},
  delayOf: () => 0,
  decide: () => undefined,
};

/** A session whose two sides are strings of message types, with whatever was cut. */
function conversation(strikes: Record<string, Strike> = {}): {
  session: Session;
  server: () => string;
  client: () => string;
  clientBytes: () => string;
  events: string[];
} {
  const sides = { server: [] as Buffer[], client: [] as Buffer[] };
  const events: string[] = [];
  const session = new Session({
    ...still,
    toServer: (bytes) => sides.server.push(Buffer.from(bytes)),
    toClient: (bytes) => sides.client.push(Buffer.from(bytes)),
    resetClient: () => events.push("reset"),
    resetClientLater: () => events.push("reset-later"),
    endClient: () => events.push("end"),
    endServer: () => events.push("end-server"),
    dropServer: () => events.push("drop"),
    decide: (text, moment) =>
      (strikes[text]?.kind === "cut-after-parse") === (moment === "parse") ? strikes[text] : undefined,
  });
  const types = (chunks: readonly Buffer[]): string => {
    const bytes = Buffer.concat(chunks);
    let found = "";
    for (let at = 0; at < bytes.length; at += 1 + bytes.readUInt32BE(at + 1))
      found += String.fromCodePoint(bytes[at] ?? 0);
    return found;
  };
  session.clientSent(startupPacket);
  session.serverSent(Buffer.concat([message("R", "\0\0\0\0"), ready()]));
  sides.server = [];
  sides.client = [];
  return {
    session,
    server: () => types(sides.server),
    client: () => types(sides.client),
    clientBytes: () => Buffer.concat(sides.client).toString(),
    events,
  };
}

const dropReply: Strike = { kind: "drop-reply", wait: "reply" };
const dropAtOnce: Strike = { kind: "drop-reply", wait: "none" };
const fatal: Strike = { kind: "inject", error: { severity: "FATAL", sqlstate: "57P01", message: "over" } };
const error: Strike = { kind: "inject", error: { severity: "ERROR", sqlstate: "40001", message: "again" } };

describe("Session", () => {
  it("swallows only the struck answer of a pipeline and forwards nothing after it", () => {
    const { session, server, client, events } = conversation({ b: dropReply });
    session.clientSent(Buffer.concat([query("a"), query("b"), query("c")]));
    expect(server()).toBe("QQ");
    session.serverSent(Buffer.concat([complete, ready()]));
    expect([client(), events]).toEqual(["CZ", []]);
    session.serverSent(complete);
    expect(session.finishing).toBe(true);
    session.serverSent(ready());
    expect([client(), events]).toEqual(["CZ", ["reset", "drop"]]);
  });

  it("knows a named statement that was prepared long before", () => {
    const { session, server, events } = conversation({ "insert x": dropReply });
    session.clientSent(Buffer.concat([parse("s1", "insert x"), sync]));
    session.serverSent(Buffer.concat([message("1"), ready()]));
    session.clientSent(Buffer.concat([bind("s1"), execute, sync]));
    session.serverSent(Buffer.concat([message("2"), complete, ready()]));
    expect(server()).toBe("PSBES");
    expect(events).toEqual(["reset", "drop"]);
  });

  it("swallows the answer of the whole batch that holds the struck statement", () => {
    const { session, client, events } = conversation({ commit: dropReply });
    const batch = ["begin", "insert x", "commit"].flatMap((text) => [parse("", text), bind(""), execute]);
    session.clientSent(Buffer.concat([...batch, sync]));
    session.serverSent(Buffer.concat([complete, complete]));
    expect(events).toEqual([]);
    session.serverSent(Buffer.concat([complete, ready()]));
    expect([client(), events]).toEqual(["", ["reset", "drop"]]);
  });

  it("sends the Sync itself for a client that waits for its flushed answer", () => {
    const { session, server, client, events } = conversation({ "insert x": dropReply });
    session.clientSent(Buffer.concat([parse("", "insert x"), bind(""), execute, flush]));
    session.serverSent(Buffer.concat([message("1"), message("2"), complete]));
    expect(server()).toBe("PBEHS");
    session.clientSent(sync);
    expect(server()).toBe("PBEHS");
    session.serverSent(ready());
    expect([client(), events]).toEqual(["", ["reset", "drop"]]);
  });

  it("cuts the client off at once, when told so, but not before the server has the Sync", () => {
    const { session, server, events } = conversation({ "insert x": dropAtOnce });
    session.clientSent(Buffer.concat([parse("", "insert x"), bind(""), execute]));
    expect([events, session.finishing]).toEqual([[], false]);
    session.clientSent(sync);
    expect([server(), events, session.finishing]).toEqual(["PBES", ["reset"], true]);
    session.serverSent(Buffer.concat([complete, ready()]));
    expect(events).toEqual(["reset", "reset", "drop"]);
  });

  it("lets the rows of a struck COPY pass", () => {
    const { session, server, client, events } = conversation({ "copy t from stdin": dropReply });
    session.clientSent(query("copy t from stdin"));
    session.serverSent(message("G", "\0\0\0"));
    expect(client()).toBe("G");
    session.clientSent(Buffer.concat([message("d", "1\n"), message("c")]));
    expect(server()).toBe("Qdc");
    session.serverSent(Buffer.concat([complete, ready()]));
    expect([client(), events]).toEqual(["G", ["reset", "drop"]]);
  });

  it("keeps count of the answers when a COPY in the extended protocol eats a Sync", () => {
    const { session, client, events } = conversation({ b: dropReply });
    session.clientSent(Buffer.concat([parse("", "copy t from stdin"), bind(""), execute, sync]));
    session.serverSent(message("G", "\0\0\0"));
    session.clientSent(Buffer.concat([message("d", "1\n"), message("c"), sync]));
    session.serverSent(Buffer.concat([complete, ready()]));
    session.clientSent(query("b"));
    session.serverSent(Buffer.concat([complete, ready()]));
    expect([client(), events]).toEqual(["GCZ", ["reset", "drop"]]);
  });

  it("puts the injected error in the place of its own failing statement's only", () => {
    const { session, server, clientBytes } = conversation({ b: error });
    session.clientSent(Buffer.concat([query("a"), query("b")]));
    expect(server()).toBe("QQ");
    session.serverSent(Buffer.concat([message("E", "C42P01\0Mno table\0\0"), ready("T")]));
    const own = message("E", `C42601\0Msyntax error at or near "${failureMark}"\0\0`);
    // In two pieces, as TCP may deliver them.
    session.serverSent(own.subarray(0, 20));
    session.serverSent(Buffer.concat([own.subarray(20), ready("E")]));
    expect(clientBytes()).toContain("no table");
    expect(clientBytes()).toContain("C40001\0Magain\0");
    expect(clientBytes()).not.toContain(failureMark);
    expect(clientBytes().endsWith(ready("E").toString())).toBe(true);
  });

  it("sends a fatal error only after the answers that came before", () => {
    const { session, server, client, events } = conversation({ b: fatal });
    session.clientSent(Buffer.concat([query("a"), query("b"), query("c")]));
    expect([server(), client(), events]).toEqual(["Q", "", []]);
    session.serverSent(Buffer.concat([complete, ready()]));
    expect([client(), events]).toEqual(["CZE", ["end", "drop"]]);
  });

  it("cuts before the struck statement reaches the server", () => {
    const { session, server, events } = conversation({ b: { kind: "cut-before" } });
    session.clientSent(query("b"));
    expect([server(), events]).toEqual(["", ["reset", "drop"]]);
  });

  it("lets the server have the whole Parse, in whatever pieces it comes, and nothing after it", () => {
    const { session, server, events } = conversation({ "insert x": { kind: "cut-after-parse" } });
    const bytes = Buffer.concat([parse("", "insert x"), bind(""), execute, sync]);
    session.clientSent(bytes.subarray(0, 9));
    expect([server(), events]).toEqual(["", []]);
    session.clientSent(bytes.subarray(9));
    expect([server(), events]).toEqual(["P", ["reset", "end-server"]]);
  });

  it("cuts after a Parse that is longer than what is looked at, when all of it is sent", () => {
    const long = `insert ${"x".repeat(100_000)}`;
    const { session, events } = conversation();
    const cut = conversation();
    const sent: number[] = [];
    const other = new Session({
      ...still,
      toServer: (bytes) => sent.push(bytes.length),
      resetClient: () => cut.events.push("reset"),
      decide: (_text, moment) => (moment === "parse" ? { kind: "cut-after-parse" } : undefined),
    });
    other.clientSent(startupPacket);
    sent.length = 0;
    const bytes = parse("", long);
    other.clientSent(bytes.subarray(0, 80_000));
    expect([sent.length > 0, cut.events]).toEqual([true, []]);
    other.clientSent(Buffer.concat([bytes.subarray(80_000), sync]));
    expect([sent.reduce((sum, one) => sum + one, 0), cut.events]).toEqual([bytes.length, ["reset"]]);
    session.clientSent(bytes);
    expect(events).toEqual([]);
  });

  it("passes the struck answer of a pipeline but not its ReadyForQuery, and nothing after it", () => {
    const { session, server, client, events } = conversation({ b: { kind: "cut-before-ready" } });
    session.clientSent(Buffer.concat([query("a"), query("b"), query("c")]));
    expect(server()).toBe("QQ");
    session.serverSent(Buffer.concat([complete, ready(), complete, ready(), message("N", "\0")]));
    expect([client(), events]).toEqual(["CZC", ["reset-later", "drop"]]);
  });

  it("says a notice at the end of the struck answer, wherever the chunks end", () => {
    const notice: Strike = { kind: "notice", notice: { severity: "WARNING", sqlstate: "01000", message: "low" } };
    const { session, client, clientBytes } = conversation({ b: notice });
    session.clientSent(Buffer.concat([query("a"), query("b")]));
    for (const byte of Buffer.concat([complete, ready(), complete, ready()])) session.serverSent(Buffer.from([byte]));
    expect(client()).toBe("CZCNZ");
    expect(clientBytes()).toContain("SWARNING\0VWARNING\0C01000\0Mlow\0");
  });

  it("holds one kind of message back, after what came before it has left", () => {
    const log: string[] = [];
    const session = new Session({
      ...still,
      delayOf: (direction, type) => (direction === "toClient" && type === 0x43 ? 7 : 0),
      delay: (direction, ms) => log.push(`${direction} ${ms}`),
      toClient: (bytes) => log.push(bytes.toString("latin1", 0, 1)),
    });
    session.clientSent(startupPacket);
    session.serverSent(Buffer.concat([message("R", "\0\0\0\0"), ready()]));
    session.clientSent(query("a"));
    session.serverSent(Buffer.concat([message("T"), message("D"), complete, ready()]));
    expect(log).toEqual(["R", "T", "toClient 7", "C"]);
  });

  it("tells of a standby between messages only, and with the next ReadyForQuery otherwise", () => {
    const sent: Buffer[] = [];
    let standby: boolean | undefined;
    const session = new Session({
      ...still,
      get standby() {
        return standby;
      },
      toClient: (bytes) => sent.push(Buffer.from(bytes)),
    });
    const status = (value: string): Buffer => message("S", `in_hot_standby\0${value}\0`);
    session.clientSent(startupPacket);
    standby = true;
    expect(session.tellStandby()).toBe(false); // not before the session has begun
    session.serverSent(Buffer.concat([message("R", "\0\0\0\0"), status("off"), ready()]));
    session.clientSent(query("a"));
    const row = message("D", "x".repeat(20));
    session.serverSent(row.subarray(0, 10));
    standby = undefined;
    expect(session.tellStandby()).toBe(false);
    session.serverSent(Buffer.concat([row.subarray(10), complete, ready()]));
    const got = Buffer.concat(sent).toString();
    const wanted = [message("R", "\0\0\0\0"), status("on"), ready(), row, complete, status("off"), ready()];
    expect(got).toBe(Buffer.concat(wanted).toString());
    standby = false;
    expect(session.tellStandby()).toBe(false); // it is what the client believes
  });

  it("passes plain bytes once TLS was agreed on", () => {
    const sent: string[] = [];
    const session = new Session({
      ...still,
      toServer: (bytes) => sent.push(`server ${bytes.toString("hex")}`),
      toClient: (bytes) => sent.push(`client ${bytes.toString("hex")}`),
      decide: () => {
        throw new Error("there is nothing to decide");
      },
    });
    session.clientSent(sslRequest.subarray(0, 5));
    session.clientSent(sslRequest.subarray(5));
    session.serverSent(Buffer.from("S"));
    session.clientSent(Buffer.from([0x16, 3, 1]));
    session.serverSent(Buffer.from([0x16, 3, 3]));
    expect(sent).toEqual([`server ${sslRequest.toString("hex")}`, "client 53", "server 160301", "client 160303"]);
  });

  it("goes on in the clear when encryption is refused", () => {
    const { session } = conversation();
    const seen: string[] = [];
    const plain = new Session({
      ...still,
      decide: (text) => {
        seen.push(text);
        return undefined;
      },
    });
    expect(session.finishing).toBe(false);
    plain.clientSent(sslRequest);
    plain.serverSent(Buffer.from("N"));
    plain.clientSent(Buffer.concat([startupPacket, query("a")]));
    expect(seen).toEqual(["a"]);
  });
});
