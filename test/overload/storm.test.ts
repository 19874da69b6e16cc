/**
 * Fifty processes of a hundred callers each, and one primary that hangs for two seconds, is dead for five and comes back.
 * A thousand processes are simulated by `node test/bench/storm.ts`.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { preset } from "./stacks.ts";
import { fixedInterval, repeats, storm, type StormFigures } from "./storm.ts";

const PROCESSES = 50;

let naive: StormFigures;
let ours: StormFigures;

beforeAll(async () => {
  naive = await storm({ stack: fixedInterval, processes: PROCESSES, callers: 100 });
  ours = await storm({ stack: preset(), processes: PROCESSES, callers: 100 });
  for (const [name, { points: _, ...figures }] of Object.entries({ "fixed interval": naive, ours })) {
    process.stdout.write(`${name}: ${JSON.stringify(figures)}\n`);
  }
}, 240_000);

describe("processes that have all seen the same crash", () => {
  it("come in waves when they try again after a fixed time", () => {
    expect(naive.sentWave).toBeGreaterThan(3);
    expect(naive.sentRepeats).toBeGreaterThan(0.5);
    expect(naive.connectWave).toBeGreaterThan(2.5);
    expect(naive.connectRepeats).toBeGreaterThan(0.5);
  });

  it("come at moments of their own through the stack, and hardly at all", () => {
    expect(ours.connectWave).toBeLessThanOrEqual(2);
    expect(ours.sentWave).toBeLessThanOrEqual(2);
    // At most two attempts a second from each, however many callers wait there.
    expect(ours.mostConnectsDown).toBeLessThanOrEqual(2 * PROCESSES);
    expect(ours.connects).toBeLessThan(naive.connects / 5);
  });

  it("lose no call, and are all as before within two seconds", () => {
    expect(ours.failed).toBeLessThanOrEqual(ours.calls / 1_000);
    expect(ours.retries).toBeLessThanOrEqual(ours.calls / 20);
    expect(ours.recoveryMs).toBeLessThanOrEqual(2_000);
  });
});

describe("the measure of waves", () => {
  it("tells what repeats itself from what does not", () => {
    expect(repeats(Array.from({ length: 50 }, (_, at) => (at % 5 === 0 ? 100 : 3)))).toBeGreaterThan(0.8);
    expect(repeats(Array.from({ length: 50 }, () => 7))).toBe(0);
  });
});
