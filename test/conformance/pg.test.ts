import { fromPg } from "@breakwater/pg";
import pg from "pg";
import { adapterConformance } from "./adapter.ts";

adapterConformance("pg, of a configuration", ({ application, acquireTimeoutMs, ...config }, lifecycle) =>
  fromPg({ ...config, application_name: application }, { acquireTimeoutMs, ...lifecycle }),
);

adapterConformance(
  "pg, of a pool",
  ({ application, acquireTimeoutMs, ...config }) =>
    fromPg(new pg.Pool({ ...config, application_name: application }), { acquireTimeoutMs }),
  { lifecycle: false },
);
