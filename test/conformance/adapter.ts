/**
 * Runs the published conformance suite in vitest. An adapter is one line: what it is called, and how to make a pool of it.
 */
import { type Cluster, startCluster } from "@breakwater/chaos";
import type { LifecycleOptions, Pool } from "@breakwater/core";
import { type AdapterUnderTest, adapterConformance } from "@breakwater/core/testing";
import { postgresServer } from "@breakwater/postgres/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** What a pool of a real PostgreSQL server is made with. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** What its connections call themselves at the server. */
  readonly application: string;
  readonly max: number;
  readonly acquireTimeoutMs: number;
}

const APPLICATION = "conformance";

/** Runs the suite for one adapter. */
export function conformance(name: string, subject: AdapterUnderTest): void {
  describe(`adapter ${name}`, () => {
    it.for(adapterConformance(subject))("$name", async ({ skipped, run }, { skip }) => {
      skip(skipped !== undefined, skipped);
      await expect(run()).resolves.toBeUndefined();
    });
  });
}

/** Runs the suite for one adapter on a PostgreSQL server of its own. */
export function postgresConformance(
  name: string,
  makePool: (target: Target, lifecycle: LifecycleOptions) => Pool,
  rest: Pick<AdapterUnderTest, "cannot" | "unsendable"> = {},
): void {
  describe("on PostgreSQL", () => {
    let cluster: Cluster;
    beforeAll(async () => {
      cluster = await startCluster({ replicas: 0 });
    });
    afterAll(() => cluster.close());
    conformance(name, {
      server: () => postgresServer((text, values) => cluster.primary.query(text, [...(values ?? [])]), APPLICATION),
      pool: ({ lifecycle, ...request }) =>
        makePool(
          {
            ...request,
            host: "127.0.0.1",
            port: cluster.primary.port,
            user: "postgres",
            database: "postgres",
            application: APPLICATION,
          },
          lifecycle,
        ),
      ...rest,
    });
  });
}
