import { describe, expect, it } from "vitest";
import { UsageError } from "../usage.ts";
import { doctorArguments } from "./arguments.ts";
import { type Target, targetsOf } from "./targets.ts";

function targets(...dsns: readonly string[]): Target[] {
  return targetsOf(
    dsns.map((dsn) => ({ dsn, expected: undefined })),
    {},
  );
}

function told(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error("expected a UsageError");
}

describe("connection strings", () => {
  it("are called by where they lead, without user and password", () => {
    const [one, again, other] = targets(
      "postgres://a:s%40cret@db1/shop",
      "postgres://b@db1/shop",
      "postgresql://[::1]:5433/x",
    );
    expect(one).toMatchObject({ address: { name: "db1:5432/shop", user: "a" }, secrets: ["s@cret", "s%40cret"] });
    expect(again?.address.name).toBe("db1:5432/shop (2)");
    expect(other?.address).toMatchObject({ database: "x", host: expect.stringContaining("::1") });
  });

  it("may be those of the environment", () => {
    const [url] = targetsOf([], { DATABASE_URL: "postgres://app@db7/shop" });
    expect(url?.address.name).toBe("db7:5432/shop");
    expect(targetsOf([], { PGHOST: "db8" })).toHaveLength(1);
    expect(told(() => targetsOf([], {}))).toContain("DATABASE_URL");
  });

  it.each([
    "",
    "db1",
    "host=db1 password=hunter2",
    "https://app:hunter2@db1/shop",
    "mysql://app:hunter2@db1/shop",
    "postgres://app:hunter2@db1:99999/shop",
    "postgres://app:hunter2@db1,db2/shop",
    "postgres://app:1#hunter2@db1/shop",
    "postgres://app:1/hunter2@db1/shop",
    "postgres://app:1?hunter2@db1/shop",
    "postgres://app:hun@ter2/x@db1/shop",
    "postgres://app:hunter2@db1/shop?sslrootcert=/nowhere/ca.pem",
  ])("are refused without being shown: %s", (dsn) => {
    const message = told(() => targets("postgres://db1/shop", dsn));
    expect(message).toContain("connection string 2");
    expect(message).not.toMatch(/hunter2|ter2/);
  });

  it("are not shown where an option is wrong", () => {
    expect(told(() => doctorArguments(["--json=postgres://app:hunter2@db1/shop"]))).not.toContain("hunter2");
    expect(told(() => doctorArguments(["--postgres://app:hunter2@db1/shop"]))).not.toContain("hunter2");
  });
});

describe("the options of doctor", () => {
  it("have defaults", () => {
    expect(doctorArguments([])).toMatchObject({
      poolSize: 10,
      processes: 1,
      failOn: "warning",
      json: false,
      ignored: [],
    });
    expect(doctorArguments(["--fail-on", "never", "--ignore", "a,b", "--ignore", "c"])).toMatchObject({
      failOn: undefined,
      ignored: ["a", "b", "c"],
    });
  });

  it.each([
    [["--pool-size", "0"], "--pool-size must be a whole number from 1 to 100000"],
    [["--processes", "x"], "--processes must be a whole number"],
    [["--timeout-ms", "1.5"], "--timeout-ms must be a whole number"],
    [["--fail-on", "all"], '--fail-on must be one of error, warning, note, never, got "all"'],
    [["--ledger", ""], "--ledger must be the name of a table"],
    [["--verbose"], "--verbose"],
  ])("are checked: %j", (args, message) => {
    expect(told(() => doctorArguments(args))).toContain(message);
  });
});
