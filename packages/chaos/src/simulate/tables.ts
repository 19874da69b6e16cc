/** What one simulated server stores. Replicas get it as a log of commits, in the primary's order. */

/** One thing that a transaction does to the data. */
export interface Change {
  readonly verb: "set" | "insert" | "add" | "append";
  readonly key: string;
  readonly value: unknown;
}

/** One commit. */
export interface Entry {
  readonly position: number;
  readonly transaction: number;
  readonly changes: readonly Change[];
}

/** Numbers of committed transactions that a server remembers; of older ones it cannot tell the outcome. */
const REMEMBERED = 20_000;

export class Tables {
  readonly registers: Map<string, unknown>;
  readonly rows: Map<string, number>;
  readonly counters: Map<string, number>;
  readonly lists: Map<string, readonly unknown[]>;
  readonly committed: Set<number>;
  // Where each key was last changed, for transactions that must not have missed it.
  readonly #changed: Map<string, number>;
  /** Position of the last commit that is in the data. */
  position = 0;
  lastCommitted = 0;
  /** The number that the next transaction gets: after a crash, numbers of transactions that left no commit come again. */
  nextTransaction = 1;

  constructor(like?: Tables) {
    this.registers = new Map(like?.registers);
    this.rows = new Map(like?.rows);
    this.counters = new Map(like?.counters);
    this.lists = new Map(like?.lists);
    this.committed = new Set(like?.committed);
    this.#changed = new Map(like?.changedAt);
    this.position = like?.position ?? 0;
    this.lastCommitted = like?.lastCommitted ?? 0;
    this.nextTransaction = this.lastCommitted + 1;
  }

  get changedAt(): ReadonlyMap<string, number> {
    return this.#changed;
  }

  /** A commit is in the log; its keys count as changed from now on, for whoever began before. */
  logged({ changes, position, transaction }: Entry): void {
    for (const { key } of changes) this.#changed.set(key, position);
    this.committed.add(transaction);
    this.committed.delete(transaction - REMEMBERED);
    this.lastCommitted = Math.max(this.lastCommitted, transaction);
    this.nextTransaction = Math.max(this.nextTransaction, transaction + 1);
  }

  /** A server begins a new life with this data: it knows of no number that left no commit. */
  begin(): void {
    this.nextTransaction = this.lastCommitted + 1;
  }

  /** A commit becomes visible. */
  apply({ changes, position }: Entry): void {
    for (const { verb, key, value } of changes) {
      if (verb === "set") this.registers.set(key, value);
      else if (verb === "insert") this.rows.set(key, (this.rows.get(key) ?? 0) + 1);
      else if (verb === "add") this.counters.set(key, (this.counters.get(key) ?? 0) + Number(value));
      else this.lists.set(key, [...(this.lists.get(key) ?? []), value]);
    }
    this.position = position;
  }

  /** What became of a transaction, as far as this server knows. */
  status(transaction: number): "committed" | "aborted" | "unseen" | "forgotten" {
    if (this.committed.has(transaction)) return "committed";
    if (transaction >= this.nextTransaction) return "unseen";
    return transaction < this.nextTransaction - REMEMBERED ? "forgotten" : "aborted";
  }

  /** Whether a key has changed after a position. */
  changedAfter(key: string, position: number): boolean {
    return (this.#changed.get(key) ?? 0) > position;
  }

  /** Drops what nobody will ask for any more. */
  forget(keys: Iterable<string>): void {
    for (const key of keys) {
      for (const table of [this.registers, this.rows, this.counters, this.lists, this.#changed]) table.delete(key);
    }
  }
}
