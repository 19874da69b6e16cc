import pg from "pg";
import { describe, expect, it } from "vitest";
import { atAddress, environmentSource, withMax } from "./environment.ts";

describe("atAddress", () => {
  it("keeps everything of a connection string but the address", () => {
    const moved = atAddress("postgres://app:p%40ss@db1:5432/shop?sslmode=disable", "10.0.0.2", 6000);
    expect(moved).toEqual({ connectionString: "postgres://app:p%40ss@10.0.0.2:6000/shop?sslmode=disable" });
    expect(new pg.Client(moved as pg.ClientConfig)).toMatchObject({ host: "10.0.0.2", port: 6000, password: "p@ss" });
  });

  it("keeps everything of a configuration but the address", () => {
    const given = { host: "db1", port: 5432, user: "app", max: 3 };
    expect(atAddress(given, "db2", 5433)).toEqual({ ...given, host: "db2", port: 5433 });
  });

  it("takes an IPv6 address", () => {
    expect(atAddress("postgres://db1/shop", "::1", 5432)).toEqual({ connectionString: "postgres://[::1]:5432/shop" });
  });
});

describe("environmentSource", () => {
  it("takes DATABASE_URL first, and leaves the rest to pg", () => {
    expect(environmentSource({ DATABASE_URL: "postgres://db/shop", PGHOST: "other" })).toBe("postgres://db/shop");
    expect(environmentSource({ DATABASE_URL: "" })).toEqual({});
  });
});

describe("withMax", () => {
  it("says how many connections there may be, unless the source does", () => {
    expect(withMax("postgres://db/shop", 4)).toEqual({ connectionString: "postgres://db/shop", max: 4 });
    expect(withMax({ max: 2 }, 4)).toEqual({ max: 2 });
    expect(withMax("postgres://db/shop", undefined)).toBe("postgres://db/shop");
  });
});
