import type { DriverConnection, QueryResult, Statement } from "@breakwater/core";
import { describe, expect, it } from "vitest";
import { PooledConnection } from "./connection.ts";

type Sent = readonly [how: string, texts: readonly string[], named: boolean];

function pooled(abilities = true): { readonly connection: PooledConnection; readonly sent: Sent[] } {
  const sent: Sent[] = [];
  const note = (how: string, statements: readonly Statement[]): void => {
    const named = statements.some(({ name, parts }) => name !== undefined || parts !== undefined);
    sent.push([how, statements.map(({ text }) => text), named]);
  };
  const result: QueryResult = { rows: [], rowCount: 0, command: "", fields: [] };
  const inner = {
    usable: true,
    transactionStatus: "idle",
    query: (statement: Statement) => {
      note("query", [statement]);
      return Promise.resolve(result as QueryResult<never>);
    },
    ...(abilities
      ? {
          queryAll: (statements: readonly Statement[]) => {
            note("queryAll", statements);
            return Promise.resolve([]);
          },
          executeMany: (text: string, rows: readonly (readonly unknown[])[]) => {
            note("executeMany", [{ text }]);
            return Promise.resolve(rows.length);
          },
        }
      : {}),
  } as Partial<DriverConnection> as DriverConnection;
  return { connection: new PooledConnection(inner, "unit"), sent };
}

describe("a connection to a pooler in transaction mode", () => {
  it("sends many rows, and many statements, as its driver does, under no name", async () => {
    const { connection, sent } = pooled();
    expect(await connection.executeMany?.("INSERT INTO t VALUES ($1)", [[1], [2], [3]])).toBe(3);
    await connection.queryAll?.([{ name: "one", text: "SELECT 1" }]);
    expect(sent).toEqual([
      ["executeMany", ["INSERT INTO t VALUES ($1)"], false],
      ["queryAll", ["SELECT 1"], false],
    ]);
  });

  it("has nothing that its driver does not have", () => {
    const { connection } = pooled(false);
    expect([connection.executeMany, connection.queryAll, connection.cursor]).toEqual([undefined, undefined, undefined]);
  });

  it("refuses in each way what would last as long as a session, and says that it was not sent", async () => {
    const { connection, sent } = pooled();
    const lasting = "SELECT pg_advisory_lock($1)";
    for (const refused of [
      () => connection.query({ text: lasting }),
      () => connection.executeMany?.(lasting, [[1]]),
      () => connection.queryAll?.([{ text: "SELECT 1" }, { text: lasting }]),
    ]) {
      const error: unknown = await refused()?.catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "ERR_BREAKWATER_USAGE" });
    }
    const last: unknown = await connection.executeMany?.(lasting, [[1]])?.catch((reason: unknown) => reason);
    expect(connection.refused(last)).toBe(true);
    expect(sent).toEqual([]);
    await connection.query({ text: "SELECT 1" });
    expect(connection.refused(last)).toBe(false);
  });
});
