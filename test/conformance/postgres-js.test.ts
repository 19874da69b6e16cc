import { fromPostgresJs, type PostgresJsConfig } from "@breakwater/postgres-js";
import postgres from "postgres";
import { postgresConformance, type Target } from "./adapter.ts";

const config = ({
  host,
  port,
  user,
  database,
  application,
  max,
}: Target): PostgresJsConfig & { connection: object } => ({
  host,
  port,
  user,
  database,
  max,
  connection: { application_name: application },
});

postgresConformance("postgres.js, of a configuration", (target, lifecycle) =>
  fromPostgresJs(config(target), { acquireTimeoutMs: target.acquireTimeoutMs, ...lifecycle }),
);

postgresConformance("postgres.js, of an instance", (target, lifecycle) =>
  fromPostgresJs(postgres(config(target) as object), {
    acquireTimeoutMs: target.acquireTimeoutMs,
    prepare: true,
    ...lifecycle,
  }),
);
