import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameWalker, type Verdict } from "./frames.ts";

function message(type: string, body: string): Buffer {
  const bytes = Buffer.alloc(5 + Buffer.byteLength(body));
  bytes.write(type, 0, "latin1");
  bytes.writeUInt32BE(bytes.length - 1, 1);
  bytes.write(body, 5);
  return bytes;
}

/** Feeds the stream cut at the given places and gives back what came out and which messages were seen. */
function walk(
  stream: Buffer,
  cuts: readonly number[],
  judge: (type: string) => Verdict,
): { out: string; seen: string[] } {
  const out: Buffer[] = [];
  const seen: string[] = [];
  const walker = new FrameWalker({
    look: (type) => (type === 0x51 ? Number.POSITIVE_INFINITY : 0),
    visit: (type, bytes) => {
      const name = String.fromCodePoint(type);
      seen.push(name === "Q" ? `Q:${bytes.toString("utf8", 5)}` : name);
      return judge(name);
    },
    delay: () => 0,
    hold: () => {},
    emit: (bytes) => out.push(Buffer.from(bytes)),
  });
  let at = 0;
  for (const cut of [...new Set(cuts)].toSorted((a, b) => a - b).filter((one) => one < stream.length)) {
    walker.feed(stream.subarray(at, cut));
    at = cut;
  }
  walker.feed(stream.subarray(at));
  expect(walker.inMessage).toBe(false);
  return { out: Buffer.concat(out).toString(), seen };
}

const messages = fc.array(fc.tuple(fc.constantFrom("Q", "D", "S", "x"), fc.string({ maxLength: 30 })), {
  maxLength: 12,
});
const cuts = fc.array(fc.nat(300), { maxLength: 40 });

describe("FrameWalker", () => {
  it("passes every byte on in order, wherever the chunks end", () => {
    fc.assert(
      fc.property(messages, cuts, (list, places) => {
        const stream = Buffer.concat(list.map(([type, body]) => message(type, body)));
        const { out, seen } = walk(stream, places, () => "pass");
        expect(out).toBe(stream.toString());
        expect(seen).toEqual(list.map(([type, body]) => (type === "Q" ? `Q:${body}` : type)));
      }),
    );
  });

  it("drops and replaces whole messages only", () => {
    fc.assert(
      fc.property(messages, cuts, (list, places) => {
        const stream = Buffer.concat(list.map(([type, body]) => message(type, body)));
        const judge = (type: string): Verdict => (type === "D" ? "drop" : type === "Q" ? Buffer.from("<q>") : "pass");
        const wanted = list.map(([type, body]) =>
          type === "D" ? "" : type === "Q" ? "<q>" : message(type, body).toString(),
        );
        expect(walk(stream, places, judge).out).toBe(wanted.join(""));
      }),
    );
  });

  it("judges a long message by its beginning and holds no more than that", () => {
    const long = message("Q", "x".repeat(1_000_000));
    let emitted = 0;
    let judged = 0;
    const walker = new FrameWalker({
      look: () => Number.POSITIVE_INFINITY,
      visit: (_, bytes) => {
        judged = bytes.length;
        return "pass";
      },
      delay: () => 0,
      hold: () => {},
      emit: (bytes) => (emitted += bytes.length),
    });
    walker.feed(long.subarray(0, 60_000));
    expect([judged, emitted]).toEqual([0, 0]);
    walker.feed(long.subarray(60_000, 80_000));
    expect([judged, emitted]).toEqual([80_000, 80_000]);
    expect(walker.inMessage).toBe(true);
    walker.feed(long.subarray(80_000));
    expect(emitted).toBe(long.length);
    expect(walker.inMessage).toBe(false);
  });
});
