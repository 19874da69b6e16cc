import { describe, expect, it } from "vitest";
import { Causality } from "./causality.ts";

const point = (position: number) => ({ timeline: 1, position: BigInt(position) });

describe("causality of many databases", () => {
  it("misses nothing of a database whose count had to make room", () => {
    const all = new Causality(false);
    all.of("first").wrote(point(7));
    const early = all.of("early");
    early.wrote(point(8));
    for (let at = 0; at < 10_050; at += 1) all.of(`tenant ${at}`).wrote(point(at + 1));
    // Nothing is known of it but that something was written there.
    expect(all.of("first")).toMatchObject({ point: undefined, unplaced: true });
    // Nor of one that nobody has asked for.
    expect(all.of("new").unplaced).toBe(true);
    expect(all.of("tenant 10049").point?.position).toBe(10_050n);
    // A write that began before, and is acknowledged now.
    const mark = all.of("early").mark;
    all.of("early").place(mark, point(9));
    early.wrote(point(10));
    expect(all.of("early").point?.position).toBe(10n);
    early.wrote();
    expect(all.of("early").unplaced).toBe(true);
  });

  it("does not go back in time where it had only read", () => {
    const session = new Causality(true);
    session.of("first").lastRead = "db2";
    for (let at = 0; at < 10_000; at += 1) void session.of(`tenant ${at}`);
    expect(session.of("first").unplaced).toBe(true);
  });

  it("forgets nothing where there was nothing to know", () => {
    const session = new Causality(true);
    for (let at = 0; at < 10_050; at += 1) void session.of(`tenant ${at}`);
    expect([session.of("tenant 0").unplaced, session.token]).toEqual([false, "1"]);
  });

  it("has a token that fits into a cookie, and what is not in it is not missed", () => {
    const session = new Causality(true);
    for (let at = 0; at < 2_000; at += 1) session.of(`tenant ${at}`).wrote(point(1_000_000_000_000 + at));
    void session.of("tenant 5");
    expect(session.token.length).toBeLessThanOrEqual(3_000);
    expect(session.token.length).toBeGreaterThan(2_900);
    const other = new Causality(true, session.token);
    expect(other.token.length).toBeLessThanOrEqual(3_000);
    expect(other.of("tenant 1999").point).toEqual(point(1_000_000_001_999));
    expect(other.of("tenant 5").point).toEqual(point(1_000_000_000_005));
    for (const name of ["tenant 0", "never seen"])
      expect(other.of(name)).toMatchObject({ point: undefined, unplaced: true });
    // One that knows a part already has to ask again: the other may have seen more of it.
    const knows = new Causality(true);
    knows.of("tenant 0").wrote(point(1));
    knows.merge(session.token);
    expect(knows.of("tenant 0").unplaced).toBe(true);
  });

  it("has a token that ends where the next part would not fit", () => {
    for (let length = 2_960; length < 3_010; length += 1) {
      const session = new Causality(true);
      session.of("x".repeat(length)).wrote(point(1));
      const { token } = session;
      expect(token.length).toBeLessThanOrEqual(3_000);
      expect(new Causality(true, token).of("x".repeat(length)).point ?? "unknown").toEqual(
        token.endsWith("&+") ? "unknown" : point(1),
      );
    }
  });

  it("has a token for any name", () => {
    const session = new Causality(true);
    session.of("a\uD800b").wrote(point(1));
    for (const name of ["__proto__", "constructor", "\0", "+", "&+", "=", "1&+"]) session.of(name).wrote(point(2));
    const other = new Causality(true, session.token);
    for (const name of ["__proto__", "constructor", "\0", "+", "&+", "=", "1&+"])
      expect(other.of(name).point, name).toEqual(point(2));
    expect(other.token).toBe(session.token);
  });

  it("takes nothing of a text that is no token", () => {
    const session = new Causality(true);
    for (const token of [
      "1.1.1&a=1.1.1=1",
      "1&+&a=1.1.1",
      "&+",
      "1&+&+",
      "1&a=1.1&+.1",
      `1.1.1${"&a=1.1.1".repeat(1_000)}`,
    ])
      expect(() => session.merge(token), token).toThrow(RangeError);
    expect(session.token).toBe("1");
  });
});
