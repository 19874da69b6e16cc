/**
 * What callers were told of each of their writes, and how that stands to what the database has.
 */
import type { ClusterNode } from "@breakwater/chaos";
import { failureOf } from "@breakwater/core";
import { until } from "./wait.ts";
import { brokenSql } from "./workload.ts";

/** What a caller was told: it is done, it is not, nobody knows. */
export type Verdict = "pending" | "ok" | "failed" | "unknown";

/** How often each thing that must not be was found. */
export interface Truth {
  /** Acknowledged, and not there. */
  readonly lost: readonly string[];
  /** There more than once. */
  readonly doubled: readonly string[];
  /** Reported as not kept, and there. */
  readonly wrong: readonly string[];
  /** Never settled. */
  readonly pending: readonly string[];
  /** What does not add up: sums, balances, counters. */
  readonly broken: readonly string[];
}

/** A truth in which nothing is amiss. */
export const NOTHING_AMISS: Truth = { lost: [], doubled: [], wrong: [], pending: [], broken: [] };

/** All calls of a run. */
export class History {
  readonly #verdicts = new Map<string, Verdict>();
  /** Errors by code or message, with how often they came. */
  readonly errors: Record<string, number> = {};

  /** Runs a call and keeps what its caller is told. Never rejects. */
  async record(id: string, kind: string, call: () => Promise<unknown>): Promise<void> {
    this.#verdicts.set(id, "pending");
    try {
      await call();
      this.#verdicts.set(id, "ok");
    } catch (error) {
      this.#verdicts.set(id, failureOf(error).effect === "unknown" ? "unknown" : "failed");
      const { code, message } = error as { readonly code?: string; readonly message?: string };
      const name = `${kind}: ${code ?? message ?? String(error)}`;
      this.errors[name] = (this.errors[name] ?? 0) + 1;
    }
  }

  count(verdict: Verdict): number {
    return this.ids(verdict).length;
  }

  ids(verdict: Verdict): string[] {
    return [...this.#verdicts].filter(([, told]) => told === verdict).map(([id]) => id);
  }

  /** Resolves when so many more calls have been acknowledged. */
  async acknowledged(more: number): Promise<void> {
    const enough = this.count("ok") + more;
    await until(
      () => `${enough} acknowledged calls; ${JSON.stringify(this.errors)}`,
      () => this.count("ok") >= enough,
    );
  }

  /** Takes calls out of account, whose loss has been explained. */
  forget(ids: readonly string[]): void {
    for (const id of ids) this.#verdicts.delete(id);
  }

  /** Compares with what a node has. */
  async truth(node: ClusterNode): Promise<Truth> {
    const rows = await node.query<{ id: string; times: number }>(
      "SELECT id, count(*)::int AS times FROM log GROUP BY id",
    );
    const broken = await node.query<{ broken: string }>(brokenSql);
    const there = new Map(rows.map(({ id, times }) => [id, times]));
    return {
      lost: this.ids("ok").filter((id) => !there.has(id)),
      doubled: rows.filter(({ times }) => times > 1).map(({ id }) => id),
      wrong: this.ids("failed").filter((id) => there.has(id)),
      pending: this.ids("pending"),
      broken: broken.map((row) => row.broken),
    };
  }
}
