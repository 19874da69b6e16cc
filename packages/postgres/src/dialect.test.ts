import { type Connection, OptionError, type QueryResult } from "@breakwater/core";
import { describe, expect, it } from "vitest";

import { postgres } from "./index.ts";

const answer = (command: string): QueryResult => ({ rows: [], rowCount: null, command, fields: [] });

describe("postgres", () => {
  const { transaction } = postgres;

  it("begins as asked and leaves the rest to the server", () => {
    expect(transaction.begin({})).toBe("BEGIN");
    expect(transaction.begin({ readOnly: true })).toBe("BEGIN READ ONLY");
    expect(transaction.begin({ readOnly: false, isolation: "repeatable read" })).toBe(
      "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE",
    );
    expect(transaction.begin({ isolation: "serializable", readOnly: true, deferrable: true })).toBe(
      "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
    );
  });

  it("lets no text of the caller's into BEGIN", () => {
    expect(() => transaction.begin({ isolation: "serializable; drop table t" as "serializable" })).toThrow(OptionError);
  });

  it("quotes the names of savepoints", () => {
    expect(transaction.savepoint('a"b')).toBe('SAVEPOINT "a""b"');
    expect(transaction.releaseSavepoint("s")).toBe('RELEASE SAVEPOINT "s"');
    expect(transaction.rollbackToSavepoint("s")).toBe('ROLLBACK TO SAVEPOINT "s"');
  });

  it("hears ROLLBACK as the answer to COMMIT", () => {
    expect(postgres.committed(answer("COMMIT"))).toBe(true);
    expect(postgres.committed(answer("ROLLBACK"))).toBe(false);
    expect(postgres.committed(answer("PREPARE"))).toBe(true);
    const many = (...commands: string[]): QueryResult => commands.map(answer) as unknown as QueryResult;
    expect(postgres.committed(many("INSERT", "COMMIT"))).toBe(true);
    expect(postgres.committed(many("INSERT", "ROLLBACK"))).toBe(false);
    expect(postgres.committed(many("ROLLBACK", "BEGIN", "INSERT", "COMMIT", "SELECT"))).toBe(true);
    expect(postgres.committed(many())).toBe(true);
  });

  const row = { recovering: "false", system: "7", timeline: "2", position: "0/10" };

  function connectionTold(...told: readonly (object | Error)[]): Connection & { texts: string[] } {
    const texts: string[] = [];
    const query = (statement: { text: string }): Promise<never> => {
      const next = told[Math.min(texts.push(statement.text), told.length) - 1];
      return next instanceof Error ? Promise.reject(next) : Promise.resolve({ rows: [next] } as never);
    };
    return { query, driver: {}, texts } as unknown as Connection & { texts: string[] };
  }

  it("probes in one round trip", async () => {
    const connection = connectionTold(row);
    expect(await postgres.probe(connection)).toEqual({ role: "primary", systemId: "7", timeline: 2, position: 16n });
    expect(connection.texts).toHaveLength(1);
  });

  it("asks for less where it may not ask for all, and remembers it", async () => {
    const denied = Object.assign(new Error("permission denied"), { code: "42501" });
    const connection = connectionTold(denied, { recovering: "true", system: null, timeline: null, position: "0/20" });
    expect(await postgres.probe(connection)).toEqual({
      role: "replica",
      systemId: undefined,
      timeline: undefined,
      position: 32n,
    });
    await postgres.probe(connection);
    expect(connection.texts).toHaveLength(3);
    expect(connection.texts[2]).toBe(connection.texts[1]);
  });

  it("lets a probe fail that is not answered", async () => {
    await expect(postgres.probe(connectionTold(Object.assign(new Error("gone"), { code: "57P01" })))).rejects.toThrow(
      "gone",
    );
    await expect(postgres.probe(connectionTold(Object.assign(new Error("denied"), { code: "42501" })))).rejects.toThrow(
      "denied",
    );
  });
});
