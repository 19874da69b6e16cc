/** Whether the databases answer; asked of them once for all who want to know at the same time. */
import type { Clock, Database, Health } from "@breakwater/core";

/** An answer holds so long, in milliseconds: probes of a fleet must not become a load. */
const HOLDS_MS = 1_000;

export class Readiness {
  readonly #databases: readonly Database[];
  readonly #clock: Clock;
  #asked: { readonly atMs: number; readonly answer: Promise<Health["status"]> } | undefined;

  constructor(databases: readonly Database[], clock: Clock) {
    this.#databases = databases;
    this.#clock = clock;
  }

  /** The worst of all. */
  ask(): Promise<Health["status"]> {
    const nowMs = this.#clock.now();
    if (this.#asked === undefined || nowMs - this.#asked.atMs >= HOLDS_MS)
      this.#asked = { atMs: nowMs, answer: worstOf(this.#databases) };
    return this.#asked.answer;
  }
}

async function worstOf(databases: readonly Database[]): Promise<Health["status"]> {
  const all = await Promise.all(databases.map(async (db) => (await db.health()).status));
  return all.find((status) => status === "down") ?? all.find((status) => status === "degraded") ?? "ok";
}
