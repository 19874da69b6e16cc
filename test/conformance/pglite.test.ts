import { fromPglite } from "@breakwater/pglite";
import { postgresLanguage } from "@breakwater/postgres/testing";
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll } from "vitest";
import { conformance } from "./adapter.ts";

let pglite: PGlite;
beforeAll(async () => {
  pglite = await PGlite.create();
});
afterAll(() => pglite.close());

conformance("pglite", {
  server: () => ({
    language: postgresLanguage,
    query: async (text, values) => (await pglite.query<Record<string, unknown>>(text, [...(values ?? [])])).rows,
    connections: () => Promise.resolve(0),
    runs: () => Promise.resolve(false),
    terminate: () => Promise.resolve(),
  }),
  pool: ({ acquireTimeoutMs }) => fromPglite(pglite, { acquireTimeoutMs, closePglite: false }),
  cannot: {
    "many-connections": "PGlite has one session",
    cancel: "PGlite runs in this thread: nothing can come between",
    "lost-connections": "there is no link to lose",
    lifecycle: "a session that lives as long as the process is not opened and ended",
    "server-limits": "PGlite has no timers, so statement_timeout does nothing",
  },
});
