/**
 * Writes through a proxy that drops the answer to each n-th COMMIT, and what must be true afterwards.
 */
import type { Cluster } from "@breakwater/chaos";
import { expect } from "vitest";
import { noConnectionLeft, resolutions, stackOn } from "./database.ts";

export interface LostReplies {
  readonly calls: number;
  /** The answer to each n-th COMMIT is dropped. */
  readonly every: number;
  readonly kind: "transaction" | "exactlyOnce";
  /** How many callers there are at a time. @default 10 */
  readonly callers?: number;
}

/** 0 failed, 0 doubled, 0 lost: one acknowledgement and one row for each call. */
export async function expectLostRepliesHarmless(cluster: Cluster, options: LostReplies): Promise<void> {
  const { calls, every, kind, callers = 10 } = options;
  const table = `lost_${kind.toLowerCase()}_${every}_${calls}`;
  await cluster.primary.query(`CREATE TABLE ${table} (id int, caller int)`);
  const db = stackOn(cluster);
  const told = resolutions(db);
  const failed: unknown[] = [];
  const answers = new Map<number, unknown>();
  using fault = cluster.primary.proxy.dropReply({ to: /^commit/i, every });
  let next = 0;
  const caller = async (number: number): Promise<void> => {
    for (let id = next++; id < calls; id = next++) {
      const text = `INSERT INTO ${table} VALUES ($1, $2) RETURNING id`;
      const insert =
        kind === "exactlyOnce"
          ? db.query<{ id: number }>(text, [id, number], { exactlyOnce: true })
          : db.transaction((tx) => tx.query<{ id: number }>(text, [id, number]));
      await insert.then(
        ({ rows }) => answers.set(id, rows[0]?.id),
        (error: unknown) => failed.push(error),
      );
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)));
  await db.close();
  const rows = await cluster.primary.query<{ id: number }>(`SELECT id FROM ${table}`);
  expect(failed).toStrictEqual([]);
  expect(rows.map(({ id }) => id).toSorted((a, b) => a - b)).toStrictEqual(Array.from({ length: calls }, (_, i) => i));
  // Each caller was given what its own statement had returned.
  expect([...answers].filter(([id, answer]) => id !== answer)).toStrictEqual([]);
  expect(answers.size).toBe(calls);
  expect(fault.hits).toBe(Math.floor(calls / every));
  expect(told.map(({ outcome }) => outcome)).toStrictEqual(Array.from({ length: fault.hits }, () => "committed"));
  await noConnectionLeft(cluster);
}
