/**
 * The ledger's table in MySQL and MariaDB.
 */
import type { LedgerTexts } from "@breakwater/core";
import { quote } from "./texts.ts";

/**
 * A key is kept as its hash, so that it may be of any length and no two keys are the same but for case or accents.
 * INSERT IGNORE waits for whoever else has inserted it, and says by the count whether it is there.
 */
export const ledger: LedgerTexts = Object.freeze({
  create: (table: string) => `CREATE TABLE IF NOT EXISTS ${name(table)} (
  id char(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  result longtext CHARACTER SET utf8mb4,
  written_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE = InnoDB`,
  sweep: (table: string, seconds: number) =>
    `DELETE FROM ${name(table)} WHERE written_at < CURRENT_TIMESTAMP - INTERVAL ${seconds} SECOND`,
  claim: (table: string, key: string) => ({
    text: `INSERT IGNORE INTO ${name(table)} (id) VALUES (SHA2(?, 256))`,
    values: [key],
  }),
  find: (table: string, key: string) => ({
    text: `SELECT result FROM ${name(table)} WHERE id = SHA2(?, 256)`,
    values: [key],
  }),
  keep: (table: string, key: string, json: string) => ({
    text: `UPDATE ${name(table)} SET result = ? WHERE id = SHA2(?, 256)`,
    values: [json, key],
  }),
});

function name(table: string): string {
  return table.split(".").map(quote).join(".");
}
