/** A chaos test that tells which servers it has, and then does not end. */
import { renameSync, writeFileSync } from "node:fs";
import { chaosTest } from "@breakwater/chaos/vitest";

chaosTest("holds its servers", async ({ cluster }) => {
  const file = process.env["PIDS"] ?? "";
  writeFileSync(`${file}.part`, cluster.nodes.map(({ pid }) => pid).join("\n"));
  renameSync(`${file}.part`, file);
  await new Promise(() => {});
});
