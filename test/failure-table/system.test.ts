import { existsSync } from "node:fs";

import { speaking } from "./speaking.ts";
import { describeFailureTable } from "./suite.ts";

/** A second major version, where the machine has one. */
const BINARIES = process.env["BREAKWATER_PG_BIN_2"] ?? "/usr/lib/postgresql/15/bin";

const missing = existsSync(`${BINARIES}/postgres`) ? undefined : `needs PostgreSQL binaries in ${BINARIES}`;

describeFailureTable("the system's servers", () => speaking("ru", BINARIES), missing);
