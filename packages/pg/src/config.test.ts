import { inspect } from "node:util";
import { OptionError } from "@breakwater/core";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { fromPg } from "./from-pg.ts";

const SECRET = "geheim";

const refusal = (make: () => unknown): OptionError => {
  try {
    make();
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError);
    return error as OptionError;
  }
  throw new Error("was accepted");
};

describe("fromPg", () => {
  it.each([
    ["", "source"],
    ["localhost", "source"],
    ["mysql://localhost/db", "source"],
    ["postgres://h:99999/db", "source"],
    ["postgres://h:port/db", "source"],
    ["postgres://h/db?port=abc", "source"],
    ["postgres://h/db?port=0", "source"],
    ["postgres://a:1,b:2/db", "source"],
    ["host=db user=me", "source"],
    [undefined, "source"],
    [null, "source"],
    [5432, "source"],
    [[], "source"],
    [{ connectionString: 5 }, "source"],
    [{ connectionString: "" }, "source"],
    [{ max: 0 }, "source.max"],
    [{ max: Number.NaN }, "source.max"],
    [{ max: 1.5 }, "source.max"],
    [{ max: Number.POSITIVE_INFINITY }, "source.max"],
    [{ port: -1 }, "source.port"],
    [{ port: "x" }, "source.port"],
    [{ port: 65_536 }, "source.port"],
  ])("refuses %j, and names %s", (source, option) => {
    expect(refusal(() => fromPg(source as never)).option).toBe(option);
  });

  it.each([
    `postgres://h:99999/db?password=${SECRET}`,
    `postgres://u:${SECRET}@h:99999/db`,
    `postgres://user:${SECRET}`,
    `host=db password=${SECRET}`,
    `mysql://u:${SECRET}@h`,
  ])("never shows a password: %s", (source) => {
    for (const given of [source, [source], { connectionString: [source] }, { connectionString: source }]) {
      expect(
        inspect(
          refusal(() => fromPg(given as never)),
          { depth: 9, showHidden: true },
        ),
      ).not.toContain(SECRET);
    }
    expect(
      inspect(
        refusal(() => fromPg("postgres://h/d", { password: SECRET } as never)),
        { depth: 9 },
      ),
    ).not.toContain(SECRET);
  });

  it("refuses a pool that has ended, without showing what it led to in full", async () => {
    const ended = new pg.Pool({ connectionString: `postgres://u:${SECRET}@h/d` });
    await ended.end();
    const error = refusal(() => fromPg(ended));
    expect(error.value).toBe("h:5432/d");
    expect(inspect(error, { depth: 9 })).not.toContain(SECRET);
  });

  it("refuses options that are unknown or out of range", () => {
    for (const options of [
      { timeout: 1 },
      { acquireTimeoutMs: 0 },
      { acquireTimeoutMs: Number.NaN },
      { statementTimeoutMs: Number.POSITIVE_INFINITY },
      { connectTimeoutMs: -1 },
      { closePool: "no" },
      { name: "" },
      null,
      [],
    ]) {
      expect(refusal(() => fromPg("postgres://h/d", options as never)).code).toBe("ERR_BREAKWATER_OPTION");
    }
  });

  it.each([
    ["postgres://app@db1:5433/shop", "db1:5433/shop"],
    ["postgresql://db1/shop?sslmode=disable", "db1:5432/shop"],
    ["postgres://[::1]:5433/shop", "::1:5433/shop"],
    ["/var/run/postgresql shop", "/var/run/postgresql:5432/shop"],
    ["socket:/tmp?db=shop", "/tmp:5432/shop"],
    ["postgres://u@%2Ftmp/shop", "/tmp:5432/shop"],
    [{ host: "db1", port: 5433, database: "shop" }, "db1:5433/shop"],
    [{ host: "db1", database: "shop", password: () => SECRET }, "db1:5432/shop"],
  ])("is named after where it leads: %j", (source, name) => {
    expect(fromPg(source as never).name).toBe(name);
  });

  it("makes nothing of a stream of the user's own before the first call", async () => {
    let made = 0;
    const stream = (): never => {
      made += 1;
      throw new Error("planted");
    };
    const pool = fromPg({ host: "h", stream });
    expect(made).toBe(0);
    await pool.close();
  });

  it("opens nothing, and leaves nothing, when it is never used", async () => {
    const before = process.getActiveResourcesInfo().toSorted();
    const pool = fromPg("postgres://127.0.0.1:1/none");
    await pool.close();
    expect(process.getActiveResourcesInfo().toSorted()).toEqual(before);
  });

  it("takes what the environment says", () => {
    const { env } = process;
    const saved = { ...env };
    Object.assign(env, { PGHOST: "from-env", PGPORT: "5499", PGDATABASE: "shop" });
    try {
      expect(fromPg({}).name).toBe("from-env:5499/shop");
    } finally {
      for (const name of ["PGHOST", "PGPORT", "PGDATABASE"]) {
        if (saved[name] === undefined) delete env[name];
        else env[name] = saved[name];
      }
    }
  });
});
