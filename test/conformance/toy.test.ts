import { fromToy } from "../../examples/custom-adapter/adapter.ts";
import { postgresConformance } from "./adapter.ts";

postgresConformance(
  "of the example, for a toy driver",
  ({ host, port, user, database, application, max, acquireTimeoutMs }, lifecycle) =>
    fromToy(
      { host, port, startup: { user, database, application_name: application } },
      { max, acquireTimeoutMs, ...lifecycle },
    ),
  { cannot: { names: "the toy prepares nothing" } },
);
