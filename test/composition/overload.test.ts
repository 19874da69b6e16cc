/**
 * Twice the capacity for a minute, on virtual time: what the overload policies are for. A caller gives up after 100 ms.
 */
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Clock,
  compose,
  operationContext,
  Permits,
  type Policy,
  policy,
  type Priority,
  queryOperation,
  seededRandom,
  type Timer,
} from "@breakwater/core";
import { fakePool } from "@breakwater/core/testing";
import { adaptiveLimit, bulkhead } from "@breakwater/policies";

const PLACES = 10;
const SERVICE_MS = 20;
const PATIENCE_MS = 100;
/** Calls a millisecond that the server can answer. */
const CAPACITY = PLACES / SERVICE_MS;
const CALM_MS = 10_000;
const SURGE_MS = 60_000;
const AFTER_MS = 10_000;

/** What is due first, first. */
class Agenda<Item extends { readonly at: number }> {
  readonly #items: Item[] = [];

  get first(): Item | undefined {
    return this.#items[0];
  }

  add(item: Item): void {
    let place = this.#items.push(item) - 1;
    for (; place > 0 && item.at < this.#items[(place - 1) >> 1]!.at; place = (place - 1) >> 1) {
      this.#items[place] = this.#items[(place - 1) >> 1]!;
    }
    this.#items[place] = item;
  }

  pop(): Item | undefined {
    const [first] = this.#items;
    const last = this.#items.pop();
    if (last === undefined || this.#items.length === 0) return first;
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      if (left >= this.#items.length) break;
      const right = this.#items[left + 1];
      const child = right !== undefined && right.at < this.#items[left]!.at ? left + 1 : left;
      if (last.at <= this.#items[child]!.at) break;
      this.#items[place] = this.#items[child]!;
      place = child;
    }
    this.#items[place] = last;
    return first;
  }
}

/** Promises that an event settles, one after the other, through every layer of a stack. */
const TURNS = 30;
const SETTLED = Promise.resolve();

/** Time that jumps from event to event. */
class Virtual implements Clock {
  readonly #agenda = new Agenda<{ readonly at: number; readonly run: () => void; cancelled: boolean }>();
  #now = 0;

  now(): number {
    return this.#now;
  }

  setTimer(ms: number, run: () => void): Timer {
    const due = { at: this.#now + Math.max(0, ms), run, cancelled: false };
    this.#agenda.add(due);
    return { cancel: () => void (due.cancelled = true) };
  }

  async run(): Promise<void> {
    for (let due = this.#agenda.pop(); due !== undefined; due = this.#agenda.pop()) {
      if (due.cancelled) continue;
      this.#now = due.at;
      due.run();
      for (let turn = 0; turn < TURNS; turn++) await SETTLED;
    }
  }
}

/** A server of so many places that all calls share: each beyond them makes all slower, and nothing is ever cancelled. */
class Server {
  readonly #clock: Clock;
  /** Calls by the work that each of them will have been given when it is done. */
  readonly #calls = new Agenda<{ readonly at: number; readonly done: () => void }>();
  #count = 0;
  /** Work that a call would have been given that has been here from the start. */
  #given = 0;
  #atMs = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  serve(workMs: number): Promise<void> {
    this.#work();
    return new Promise((done) => {
      this.#calls.add({ at: this.#given + workMs, done });
      this.#count++;
      this.#next();
    });
  }

  get #speed(): number {
    return Math.min(1, PLACES / this.#count);
  }

  #work(): void {
    if (this.#count > 0) this.#given += (this.#clock.now() - this.#atMs) * this.#speed;
    this.#atMs = this.#clock.now();
  }

  #next(): void {
    this.#timer?.cancel();
    const { first } = this.#calls;
    if (first === undefined) return;
    this.#timer = this.#clock.setTimer((first.at - this.#given) / this.#speed, () => {
      this.#work();
      this.#given = Math.max(this.#given, first.at);
      this.#calls.pop();
      this.#count--;
      first.done();
      this.#next();
    });
  }
}

interface Answer {
  readonly startMs: number;
  readonly priority: Priority;
  /** Undefined when the call failed, or was answered after its caller had left. */
  readonly tookMs: number | undefined;
}

/** Half the capacity, then twice, then half again; every tenth call is critical, every fifth sheddable. */
async function simulate(stack: (clock: Clock) => Policy): Promise<Answer[]> {
  const clock = new Virtual();
  const random = seededRandom(7);
  const server = new Server(clock);
  const fake = fakePool(() => server.serve(SERVICE_MS * (0.5 + random())));
  const pool = stack(clock)({ ...fake, stats: () => ({ ...fake.stats(), max: 100 }) });
  const answers: Answer[] = [];
  const call = (number: number): void => {
    const startMs = clock.now();
    const priority = number % 10 === 0 ? "critical" : number % 5 === 1 ? "sheddable" : "normal";
    const context = { ...operationContext("read"), priority, deadline: startMs + PATIENCE_MS } as const;
    pool.execute(queryOperation({ text: "SELECT 1" }, context)).then(
      () => {
        const tookMs = clock.now() - startMs;
        answers.push({ startMs, priority, tookMs: tookMs <= PATIENCE_MS ? tookMs : undefined });
      },
      () => answers.push({ startMs, priority, tookMs: undefined }),
    );
  };
  let number = 0;
  const arrive = (): void => {
    const atMs = clock.now();
    if (atMs >= CALM_MS + SURGE_MS + AFTER_MS) return;
    call(number++);
    const load = atMs >= CALM_MS && atMs < CALM_MS + SURGE_MS ? 2 : 0.5;
    clock.setTimer(-Math.log(1 - random()) / (CAPACITY * load), arrive);
  };
  arrive();
  await clock.run();
  await pool.close();
  expect(answers).toHaveLength(number);
  return answers;
}

interface Figures {
  /** Good answers in the surge, as a share of the capacity. */
  readonly goodput: number;
  /** 99th percentile of the good answers in the surge, as a multiple of that in the calm before. */
  readonly p99: number;
  /** Share of the critical calls of the surge that failed. */
  readonly criticalFailed: number;
  /** Seconds after the surge until the last failure. */
  readonly calmAfterS: number;
}

function figures(answers: readonly Answer[]): Figures {
  const endMs = CALM_MS + SURGE_MS;
  const surge = answers.filter(({ startMs }) => startMs >= CALM_MS && startMs < endMs);
  const good = surge.filter(({ tookMs }) => tookMs !== undefined);
  const calm = answers.filter(({ startMs }) => startMs < CALM_MS);
  const critical = surge.filter(({ priority }) => priority === "critical");
  const lost = answers.filter(({ startMs, tookMs }) => startMs >= endMs && tookMs === undefined);
  return {
    goodput: good.length / (CAPACITY * SURGE_MS),
    p99: percentile(good) / percentile(calm),
    criticalFailed: critical.filter(({ tookMs }) => tookMs === undefined).length / critical.length,
    calmAfterS: Math.max(0, ...lost.map(({ startMs }) => startMs - endMs)) / 1000,
  };
}

function percentile(answers: readonly Answer[]): number {
  const sorted = answers.flatMap(({ tookMs }) => tookMs ?? []).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
}

/** As many at a time as the server has places, and the others wait, for as long as it takes. */
function naiveQueue(): Policy {
  const permits = new Permits(PLACES);
  return policy("naive", async (operation, next) => {
    if (!permits.tryTake())
      await new Promise<void>(
        (admit) =>
          void permits.wait(
            () => admit(),
            () => admit(),
          ),
      );
    return next(operation).finally(() => permits.release());
  });
}

const stacks: Readonly<Record<string, (clock: Clock) => Policy>> = {
  "no policy": () => compose(),
  "naive queue": naiveQueue,
  "bulkhead, fifo, long wait": (clock) => bulkhead({ clock, maxConcurrent: PLACES, order: "fifo" }),
  "bulkhead, fifo, short wait": (clock) => bulkhead({ clock, maxConcurrent: PLACES, order: "fifo", maxWaitMs: 30 }),
  "bulkhead as it is by default": (clock) => bulkhead({ clock, maxConcurrent: PLACES }),
  "bulkhead, codel": (clock) => bulkhead({ clock, maxConcurrent: PLACES, order: "codel", targetMs: 15 }),
  adaptiveLimit: (clock) => adaptiveLimit({ clock }),
  "bulkhead that follows adaptiveLimit": (clock) => {
    const queue = bulkhead({ clock, maxConcurrent: 20, order: "lifo-under-load" });
    return (inner) => {
      const pool = compose(queue, adaptiveLimit({ clock }))(inner);
      pool.events.on("adaptive-limit:changed", ({ limit }) => queue.change({ maxConcurrent: limit }));
      return pool;
    };
  },
};

describe("twice the capacity for 60 s", () => {
  const results = new Map<string, Figures>();

  beforeAll(async () => {
    for (const [name, stack] of Object.entries(stacks)) results.set(name, figures(await simulate(stack)));
    const rows = [...results].map(([name, { goodput, p99, criticalFailed, calmAfterS }]) => {
      const numbers = [goodput.toFixed(3), p99.toFixed(2), criticalFailed.toFixed(4), calmAfterS.toFixed(2)];
      return [name.padEnd(38), ...numbers.map((number) => number.padStart(9))].join("");
    });
    const head = ["", "goodput", "p99/calm", "critical", "calm, s"].map((word, at) =>
      at === 0 ? "".padEnd(38) : word.padStart(9),
    );
    process.stdout.write(`${[head.join(""), ...rows].join("\n")}\n`);
  }, 240_000);

  it.each(["no policy", "naive queue"])("%s collapses", (name) => {
    const { goodput, criticalFailed } = results.get(name)!;
    expect(goodput).toBeLessThan(0.1);
    expect(criticalFailed).toBeGreaterThan(0.9);
  });

  it("a queue in the order of coming, in which calls wait until they give up, saves the critical calls and loses many others", () => {
    const { goodput, criticalFailed } = results.get("bulkhead, fifo, long wait")!;
    expect(criticalFailed).toBeLessThanOrEqual(0.001);
    expect(goodput).toBeLessThan(0.9);
  });

  it.each([
    "bulkhead, fifo, short wait",
    "bulkhead as it is by default",
    "bulkhead, codel",
    "adaptiveLimit",
    "bulkhead that follows adaptiveLimit",
  ])("%s keeps the server's whole capacity good, and the critical calls whole", (name) => {
    const { goodput, p99, criticalFailed, calmAfterS } = results.get(name)!;
    expect(goodput).toBeGreaterThanOrEqual(0.98);
    expect(criticalFailed).toBeLessThanOrEqual(0.001);
    expect(p99).toBeLessThanOrEqual(3);
    expect(calmAfterS).toBeLessThanOrEqual(2);
  });
});
