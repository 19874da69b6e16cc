import { fromPg } from "@breakwater/pg";
import pg from "pg";
import { postgresConformance } from "./adapter.ts";

postgresConformance("pg, of a configuration", ({ application, acquireTimeoutMs, ...config }, lifecycle) =>
  fromPg({ ...config, application_name: application }, { acquireTimeoutMs, ...lifecycle }),
);

postgresConformance(
  "pg, of a pool",
  ({ application, acquireTimeoutMs, ...config }) =>
    fromPg(new pg.Pool({ ...config, application_name: application }), { acquireTimeoutMs }),
  { cannot: { lifecycle: "whoever made the pool says how its connections live" } },
);
