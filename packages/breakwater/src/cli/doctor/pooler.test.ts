import { describe, expect, it } from "vitest";
import { poolerOf } from "./pooler.ts";

describe("poolerOf", () => {
  it("tells nothing of a pooler that cannot be asked, and does not fail by it", async () => {
    // A path to a socket is no URL whose database could be another.
    for (const config of [{ connectionString: "/nowhere/at/all shop" }, { host: "/nowhere/at/all", database: "shop" }])
      expect(await poolerOf(config, 10_000)).toEqual({ console: undefined, statementMode: false });
  });
});
