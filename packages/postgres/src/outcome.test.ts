import type { Connection, QueryResult, TransactionIdentity } from "@breakwater/core";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resolution } from "./outcome.ts";

/** What the log holds of a transaction: some work, or its commit. */
interface Entry {
  readonly number: number;
  readonly owner: string;
  readonly commit: boolean;
}

let moment = 0;

/** A server as far as it numbers transactions: what it has not flushed is forgotten in a crash, the number included. */
class Server {
  started = ++moment;
  reset = ++moment;
  timeline: number;
  log: Entry[];
  #buffer: Entry[] = [];
  #next: number;
  #ended: number;
  readonly #running = new Map<number, string>();
  readonly #committed = new Map<number, string>();

  constructor(log: readonly Entry[], timeline: number) {
    this.log = [...log];
    this.timeline = timeline;
    this.#next = this.#ended = 0;
    this.#recover();
  }

  get life(): string {
    return `${this.started}/${this.reset}/${this.timeline.toString(16).padStart(8, "0")}/1`;
  }

  begin(owner: string): TransactionIdentity {
    const number = this.#next++;
    this.#running.set(number, owner);
    return { node: "n", id: String(number), processId: 1, incarnation: this.life };
  }

  write(number: number, owner: string): void {
    if (this.#running.get(number) === owner) this.#buffer.push({ number, owner, commit: false });
  }

  commit(number: number, owner: string): void {
    if (this.#running.get(number) !== owner) return;
    const wrote = this.#buffer.some((entry) => entry.owner === owner);
    this.#end(number);
    this.#committed.set(number, owner);
    this.#buffer.push({ number, owner, commit: true });
    if (wrote) this.flush();
  }

  abort(number: number, owner: string): void {
    if (this.#running.get(number) === owner) this.#end(number);
  }

  flush(): void {
    this.log.push(...this.#buffer);
    this.#buffer = [];
  }

  /** One of its processes dies, and with it all sessions. */
  crash(): void {
    this.#buffer = [];
    this.reset = ++moment;
    this.#recover();
  }

  restart(clean: boolean): void {
    this.started = ++moment;
    if (!clean) {
      this.crash();
      return;
    }
    this.flush();
    for (const number of this.#running.keys()) this.#end(number);
  }

  /** Whose commit is in the history of this server. */
  kept(owner: string): boolean {
    return [...this.#committed.values()].includes(owner);
  }

  /** Whether it may still commit here. */
  runs(owner: string): boolean {
    return [...this.#running.values()].includes(owner);
  }

  answer(number: number): { life: string; status: string } {
    const over = this.#committed.has(number) ? "committed" : "aborted";
    const status = this.#running.has(number) ? "in progress" : number > this.#ended ? "unseen" : over;
    return { life: this.life, status };
  }

  #end(number: number): void {
    this.#running.delete(number);
    this.#ended = Math.max(this.#ended, number);
  }

  #recover(): void {
    this.#running.clear();
    this.#committed.clear();
    for (const { number, owner, commit } of this.log) if (commit) this.#committed.set(number, owner);
    this.#ended = Math.max(700, ...this.log.map(({ number }) => number));
    this.#next = this.#ended + 1;
  }
}

const step = fc.constantFrom(
  ...(["begin", "begin", "write", "write", "commit", "commit", "abort", "flush", "crash", "restart"] as const),
  ...(["clean restart", "promotion", "statistics", "question", "question", "stale question"] as const),
);

function connectionTo(server: Server | undefined): Connection {
  return {
    driver: {},
    discard: () => undefined,
    query: (statement) => {
      const row = server?.answer(Number(statement.values?.[0])) ?? { life: null, status: null };
      return Promise.resolve({
        rows: [row],
        rowCount: 1,
        command: "SELECT",
        fields: [],
      } as unknown as QueryResult<never>);
    },
  };
}

/** Plays a sequence, and says which verdicts the truth contradicts. */
async function contradicted(steps: readonly (readonly [string, number])[]): Promise<string[]> {
  let server = new Server([], 1);
  const old: Server[] = [];
  const transactions: (readonly [string, TransactionIdentity])[] = [];
  const wrong: string[] = [];
  for (const [what, dice] of steps) {
    const [owner, identity] = transactions[dice % transactions.length] ?? ["", undefined];
    const number = Number(identity?.id);
    if (what === "begin") {
      const name = `t${transactions.length}`;
      transactions.push([name, server.begin(name)]);
    } else if (what === "write") server.write(number, owner);
    else if (what === "commit") server.commit(number, owner);
    else if (what === "abort") server.abort(number, owner);
    else if (what === "flush") server.flush();
    else if (what === "crash") server.crash();
    else if (what === "restart") server.restart(false);
    else if (what === "clean restart") server.restart(true);
    else if (what === "statistics") server.reset = ++moment;
    else if (what === "promotion") {
      old.push(server);
      // The standby has received some of what was flushed.
      server = new Server(server.log.slice(0, server.log.length - (dice % 3)), server.timeline + 1);
    } else if (identity !== undefined) {
      const asked = what === "question" ? server : old[dice % old.length];
      if (asked === undefined) continue;
      const verdict = await resolution.outcome(connectionTo(asked), identity).catch(() => "refused");
      const truth = server.kept(owner);
      if (verdict === "committed" && !asked.kept(owner)) wrong.push(`committed, but ${owner} is not there`);
      if (verdict === "committed" && what === "question" && !truth) wrong.push(`committed, but ${owner} is lost`);
      if (verdict === "rolled-back" && truth) wrong.push(`rolled back, but ${owner} is there`);
      if (verdict === "rolled-back" && server.runs(owner)) wrong.push(`rolled back, but ${owner} still runs`);
    }
  }
  return wrong;
}

describe("resolution", () => {
  it("never contradicts the truth, whatever crashes, restarts and promotions there are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(step, fc.nat(50)), { minLength: 10, maxLength: 80 }), async (steps) => {
        expect(await contradicted(steps)).toStrictEqual([]);
      }),
      { numRuns: 3_000 },
    );
  });

  it("is not told by a standby", async () => {
    const identity = { node: "n", id: "1", processId: 1, incarnation: "1/1" };
    await expect(resolution.outcome(connectionTo(undefined), identity)).rejects.toThrow("standby");
  });
});
