import { type Connection, type QueryResult, sql } from "@breakwater/core";
import { describe, expect, it } from "vitest";
import { mysql, mysqlStyle } from "./dialect.ts";

const answer = (rows: Record<string, unknown>[]): QueryResult => ({
  rows,
  rowCount: rows.length,
  command: "SELECT",
  fields: [],
});

/** A connection whose server refuses what it does not know by number, and answers the rest with a row. */
function server(
  refuses: readonly (readonly [RegExp, number])[],
  row: Record<string, unknown>,
): { connection: Connection; asked: string[] } {
  const asked: string[] = [];
  const query = (({ text }: { text: string }) => {
    asked.push(text);
    const refused = refuses.find(([part]) => part.test(text));
    if (refused !== undefined) return Promise.reject(Object.assign(new Error("refused"), { errno: refused[1] }));
    return Promise.resolve(answer([row]));
  }) as Connection["query"];
  return { connection: { query, discard: () => undefined, driver: {} }, asked };
}

describe("mysql", () => {
  it("sets the level of a transaction before it begins", () => {
    const texts = mysql.transaction;
    expect([texts.before?.({}), texts.begin({})]).toEqual([undefined, "START TRANSACTION"]);
    const strict = { isolation: "serializable", readOnly: true } as const;
    expect([texts.before?.(strict), texts.begin(strict)]).toEqual([
      "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
      "START TRANSACTION READ ONLY",
    ]);
    expect(texts.begin({ readOnly: false })).toBe("START TRANSACTION READ WRITE");
    expect(() => texts.before?.({ isolation: "chaos" as never })).toThrow(RangeError);
  });

  it("quotes names", () => {
    expect(mysql.transaction.savepoint("a`b")).toBe("SAVEPOINT `a``b`");
    expect(mysql.ledger?.create("own.led`ger")).toContain("`own`.`led``ger`");
    const statement = sql`SELECT ${sql.identifier("a", "b`c")} WHERE ${1} = ${2}`;
    expect(statement.render(mysqlStyle)).toEqual({ text: "SELECT `a`.`b``c` WHERE ? = ?", values: [1, 2] });
  });

  it("takes ROLLBACK for what it says", () => {
    expect(mysql.committed({ ...answer([]), command: "COMMIT" })).toBe(true);
    expect(mysql.committed({ ...answer([]), command: "ROLLBACK" })).toBe(false);
  });

  describe("probe", () => {
    const notMaria = [/gtid_slave_pos/, 1193] as const;

    it("asks MySQL in its own words, and only once in the wrong ones", async () => {
      const { connection, asked } = server([notMaria], {
        readonly: 0,
        strictly: 0,
        executed: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77",
      });
      const state = { role: "primary", systemId: undefined, timeline: 0, position: 77n };
      expect(await mysql.probe(connection)).toEqual(state);
      expect(await mysql.probe(connection)).toEqual(state);
      expect(asked).toHaveLength(3);
    });

    it.each([
      [{ readonly: 1, strictly: 0, executed: "" }],
      [{ readonly: "ON", strictly: "OFF", executed: "" }],
      [{ readonly: 0, strictly: 1, executed: "" }],
    ])("takes %j for a replica", async (row) => {
      expect((await mysql.probe(server([notMaria], row).connection)).role).toBe("replica");
    });

    it("knows at least the role where the rest is not told", async () => {
      const { connection } = server([notMaria, [/gtid_executed/, 1227]], { readonly: 0 });
      expect(await mysql.probe(connection)).toEqual({
        role: "primary",
        systemId: undefined,
        timeline: undefined,
        position: undefined,
      });
    });

    it("tells what else goes wrong", async () => {
      await expect(mysql.probe(server([[/./, 1053]], {}).connection)).rejects.toThrow("refused");
    });
  });

  it("has no identity for a transaction on a connection that cannot have a lock", async () => {
    for (const { connection, asked } of [server([], { id: 7, got: 0 }), server([[/GET_LOCK/, 1235]], {})]) {
      for (let go = 0; go < 2; go += 1) {
        const incarnation = await mysql.resolution?.incarnation(connection);
        expect(mysql.resolution?.identity(answer([]), incarnation ?? "", connection)).toBeUndefined();
      }
      expect(asked).toHaveLength(1);
    }
    await expect(mysql.resolution?.incarnation(server([[/./, 1053]], {}).connection)).rejects.toThrow("refused");
  });
});
