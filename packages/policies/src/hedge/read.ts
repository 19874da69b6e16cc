/**
 * One read that may be sent twice: the first success is the caller's answer.
 */
import { abortReason, type Next, type QueryOperation } from "@breakwater/core";
import { Go } from "./go.ts";
import type { Kind, Watched } from "./kinds.ts";

/** What the sender hears of. */
export interface SlowRead {
  readonly label: string | undefined;
  readonly startMs: number;
  readonly first: Go;
  readonly second: Go | undefined;
}

/** Who sends second goes, and keeps count of what becomes of them. */
export interface Sender {
  now(): number;
  /** Whether a second go would be sent now, if there is a node for it. */
  ready(): boolean;
  /** Asks for a second go to a node, and pays for it. */
  send(read: SlowRead, node: string): boolean;
  readonly toPrimary: boolean;
  won(read: SlowRead): void;
  lost(read: SlowRead, error: unknown): void;
  /** A go is not needed any more. */
  lose(go: Go): void;
  ended(go: Go): void;
}

export class HedgedRead<T> implements SlowRead, Watched {
  readonly startMs: number;
  readonly dueMs: number;
  readonly first: Go = new Go();
  second: Go | undefined;
  readonly #sender: Sender;
  readonly #kind: Kind;
  readonly #operation: QueryOperation<T>;
  readonly #next: Next;
  #over = false;
  // What the first go failed with, while the second is under way.
  #failed: { readonly error: unknown } | undefined;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  constructor(sender: Sender, kind: Kind, operation: QueryOperation<T>, next: Next, delayMs: number) {
    this.#sender = sender;
    this.#kind = kind;
    this.#operation = operation;
    this.#next = next;
    this.startMs = sender.now();
    this.dueMs = this.startMs + delayMs;
  }

  get label(): string | undefined {
    return this.#operation.label;
  }

  run(): Promise<T> {
    this.#operation.signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#kind.watch(this, this.startMs);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#send(this.first).then(
        (value) => this.#answered(value),
        (error: unknown) => this.#firstFailed(error),
      );
    });
  }

  late(): void {
    const { nodes } = this.first;
    // Of one that waits for a node nobody knows which other one would be quicker.
    if (this.#over || nodes.length === 0 || !this.#sender.ready()) return;
    const second = new Go(
      { nodes, primary: this.#sender.toPrimary },
      (node) => !this.#over && this.#sender.send(this, node),
    );
    this.second = second;
    this.#operation.trace?.note("hedge", "sends a second go, if there is a node for it", { slow: nodes.at(-1) });
    this.#send(second).then(
      (value) => this.#secondAnswered(value, second),
      (error: unknown) => this.#secondFailed(error, second),
    );
  }

  readonly #onAbort = (): void => {
    const reason: unknown = this.#operation.signal?.reason;
    this.first.leave(reason);
    this.second?.leave(reason);
  };

  #send(go: Go): Promise<T> {
    try {
      return this.#next(go.of(this.#operation));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #answered(value: T): void {
    this.#record();
    this.#settled(this.first);
    if (this.#over) return;
    this.#end();
    this.#resolve(value);
    const { second } = this;
    if (second === undefined || second.settled) return;
    if (second.nodes.length > 0) this.#sender.lost(this, undefined);
    this.#sender.lose(second);
  }

  #firstFailed(error: unknown): void {
    // One that was cancelled took at least as long.
    if (this.#over) this.#record();
    this.#settled(this.first);
    if (this.#over) return;
    if (this.second !== undefined && !this.second.settled) {
      this.#failed = { error };
      return;
    }
    this.#end();
    this.#reject(error);
  }

  #secondAnswered(value: T, second: Go): void {
    this.#settled(second);
    if (this.#over) return;
    this.#end();
    this.#resolve(value);
    this.#operation.trace?.note("hedge", "the second go answered first", { node: second.nodes.at(-1) });
    this.#sender.won(this);
    if (!this.first.settled) this.#sender.lose(this.first);
  }

  #secondFailed(error: unknown, second: Go): void {
    this.#settled(second);
    if (this.#over) return;
    const { signal } = this.#operation;
    if (second.nodes.length > 0 && signal?.aborted !== true) this.#sender.lost(this, error);
    if (this.#failed === undefined) return;
    this.#end();
    this.#reject(signal?.aborted === true ? abortReason(signal) : this.#failed.error);
  }

  #settled(go: Go): void {
    go.settle();
    this.#sender.ended(go);
  }

  #end(): void {
    this.#over = true;
    this.#kind.unwatch(this);
    this.#operation.signal?.removeEventListener("abort", this.#onAbort);
  }

  #record(): void {
    const nowMs = this.#sender.now();
    this.#kind.record(nowMs - this.startMs, nowMs);
  }
}
