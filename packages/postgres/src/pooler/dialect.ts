/**
 * The dialect behind a pooler: a connection outlives the server's lives, so that each transaction says itself in which one
 * it runs.
 */
import type {
  Connection,
  Dialect,
  QueryResult,
  Statement,
  TransactionIdentity,
  TransactionResolution,
} from "@breakwater/core";
import { postgres } from "../dialect.ts";
import { LIVES } from "../life.ts";
import { LESSER, resolution } from "../outcome.ts";
import { withLimit } from "../texts.ts";

/** `pooled` says whether a pooler has been met. Each pool has one of its own: what its role may ask is remembered. */
export function pooledDialect(pooled: () => boolean): Dialect {
  return Object.freeze({ ...postgres, resolution: new PooledResolution(pooled) });
}

class PooledResolution implements TransactionResolution {
  readonly #pooled: () => boolean;
  // How much of LIVES the role may ask; undefined before it has been tried.
  #level: number | undefined;

  constructor(pooled: () => boolean) {
    this.#pooled = pooled;
  }

  get identityText(): string {
    const { identityText = "" } = resolution;
    return this.#pooled() ? `${identityText}, ${LIVES[this.#level ?? 0]} AS incarnation` : identityText;
  }

  identityAndLimit(ms: number): Statement {
    return withLimit(this.identityText, ms);
  }

  async incarnation(connection: Connection): Promise<string> {
    if (!this.#pooled()) return await resolution.incarnation(connection);
    // Asked by itself once: within the transaction, a refusal would fail it.
    for (let level = this.#level ?? 0; this.#level === undefined; level += 1) {
      try {
        await connection.query({ text: `SELECT ${LIVES[level]} AS incarnation` });
        this.#level = level;
      } catch (error) {
        const { code } = error as { readonly code?: unknown };
        if (level === LIVES.length - 1 || !LESSER.has(String(code))) throw error;
      }
    }
    return "";
  }

  known(connection: Connection): string | undefined {
    return this.#pooled() ? undefined : resolution.known?.(connection);
  }

  identity(
    begun: QueryResult,
    incarnation: string,
    connection: Connection,
  ): Omit<TransactionIdentity, "node"> | undefined {
    const identity = resolution.identity(begun, incarnation, connection);
    const results: readonly QueryResult[] = Array.isArray(begun) ? (begun as readonly QueryResult[]) : [begun];
    const row = results.at(-1)?.rows[0] as { readonly incarnation?: unknown } | undefined;
    if (identity === undefined || typeof row?.incarnation !== "string") return identity;
    return { ...identity, incarnation: row.incarnation };
  }

  readonly outcome: TransactionResolution["outcome"] = (primary, transaction) =>
    resolution.outcome(primary, transaction);
  readonly end: TransactionResolution["end"] = (primary, transaction) => resolution.end(primary, transaction);
}
