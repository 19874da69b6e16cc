import { mysqlServer } from "@breakwater/mysql/testing";
import { fromMysql2 } from "@breakwater/mysql2";
import { afterAll, beforeAll, describe } from "vitest";
import { type MariaCluster, startMariaCluster } from "../mysql/support/cluster.ts";
import { DATABASE, USER, SKIPPED, WHY_NOT } from "../mysql/support/server.ts";
import { conformance } from "./adapter.ts";

describe.skipIf(WHY_NOT)(`on MariaDB${SKIPPED}`, () => {
  let cluster: MariaCluster;
  beforeAll(async () => {
    cluster = await startMariaCluster({ replicas: 0 });
  });
  afterAll(() => cluster.close());

  for (const prepare of [true, false]) {
    conformance(`mysql2, ${prepare ? "with prepared statements" : "with values in the text"}`, {
      server: () => mysqlServer((text, values) => cluster.primary.server.ask(DATABASE, text, values), USER),
      pool: ({ lifecycle, max, acquireTimeoutMs }) =>
        fromMysql2(cluster.primary.config, { max, acquireTimeoutMs, prepare, ...lifecycle }),
      cannot: {
        "several-statements": "mysql2 sends no text of several unless it is told to",
        "failed-transactions": "a statement that fails undoes itself and nothing else",
        "server-limits": "no limit of a transaction can be set at the server",
      },
    });
  }
});
