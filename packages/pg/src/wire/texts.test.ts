import { describe, expect, it } from "vitest";
import { type TextInfo, Texts } from "./texts.ts";

describe("texts", () => {
  function used(texts: Texts, text: string, tookMs: number, times = 3): TextInfo {
    const info = texts.of(text);
    for (let time = 0; time < times; time += 1) texts.took(info, tookMs);
    return info;
  }

  it("take for quick what is, however long the way", () => {
    for (const wayMs of [0.2, 20, 80, 300]) {
      const texts = new Texts("auto");
      texts.reached(2 * wayMs + 5);
      expect(used(texts, "SELECT 1", wayMs + 1).quick).toBe(true);
      expect(used(texts, "SELECT pg_sleep(1)", wayMs + 1_000).quick).toBe(false);
    }
  });

  it("take for slow what is, though nothing quick came before it", () => {
    const texts = new Texts("auto");
    texts.reached(10);
    const slow = used(texts, "SELECT pg_sleep(1)", 1_000, 1_000);
    expect(slow.quick).toBe(false);
    expect(used(texts, "SELECT 1", 0.3).quick).toBe(true);
  });

  it("let one that was quick prove itself anew after it was slow", () => {
    const texts = new Texts("auto");
    texts.reached(10);
    const info = used(texts, "SELECT 1", 0.3, 1_000);
    texts.took(info, 1_000);
    expect(info.quick).toBe(false);
    expect(used(texts, "SELECT 1", 0.3, 300).quick).toBe(true);
  });

  it("take for slow what holds up those behind it, and longer each time", () => {
    const texts = new Texts("auto");
    texts.reached(0.2);
    // Alone it is not slow enough to be told from a busy machine.
    const info = used(texts, "SELECT pg_sleep(0.006)", 6);
    expect(info.quick).toBe(true);
    let alone = 0;
    for (let round = 0; round < 3; round += 1) {
      for (let answer = 0; answer < 8 && info.quick; answer += 1) texts.took(info, 6, 6.2);
      expect(info.quick).toBe(false);
      const before = alone;
      for (; !info.quick; alone += 1) texts.took(info, 6);
      expect(alone - before).toBeGreaterThan(before / 2);
    }
    expect(alone).toBeGreaterThan(100);
  });

  it("mind no single late answer among quick ones behind each other", () => {
    const texts = new Texts("auto");
    texts.reached(0.2);
    const info = used(texts, "SELECT 1", 0.3);
    for (let answer = 0; answer < 1_000; answer += 1) texts.took(info, answer % 16 === 0 ? 12 : 0.05, 20);
    expect(info.quick).toBe(true);
  });

  it("do not take for the server's time what the way takes between two of them", () => {
    const texts = new Texts("auto");
    texts.reached(80);
    const info = used(texts, "SELECT 1", 80);
    for (let answer = 0; answer < 1_000; answer += 1) texts.took(info, 20 + (answer % 40), 80.5);
    expect(info.quick).toBe(true);
  });

  it("find what is quick on a busy machine, where every eighth answer is late", () => {
    const texts = new Texts("auto");
    texts.reached(0.2);
    const info = used(texts, "SELECT 1", 0.3);
    texts.took(info, 400);
    expect(info.quick).toBe(false);
    for (let answer = 1; answer <= 400; answer += 1) texts.took(info, answer % 8 === 0 ? 40 : 5);
    expect(info.quick).toBe(true);
    for (let answer = 1; answer <= 1_000; answer += 1) texts.took(info, answer % 16 === 0 ? 45 : 0.05, 60);
    expect(info.quick).toBe(true);
  });

  it("take for slow what is so in every second answer, and what is very slow once", () => {
    const texts = new Texts("auto");
    texts.reached(0.2);
    const info = used(texts, "SELECT pg_sleep($1)", 0.3, 64);
    for (let answer = 1; answer <= 80; answer += 1) texts.took(info, answer % 2 === 0 ? 40 : 1);
    expect(info.quick).toBe(false);
    const other = used(texts, "SELECT 2", 0.3, 64);
    for (let answer = 1; answer <= 100; answer += 1) texts.took(other, 0.05, 1);
    texts.took(other, 1_000, 1_001);
    expect(other.quick).toBe(false);
  });
});
