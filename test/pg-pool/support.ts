/** One server for the tests of a file, and pools on it in the two ways in which people get one. */
import { type Cluster, startCluster } from "@breakwater/chaos";
import { database } from "@breakwater/core";
import { asPgPool, fromPg, Pool } from "@breakwater/pg";
import { Pool as PresetPool } from "breakwater/pg";
import type pg from "pg";
import { afterAll, beforeAll } from "vitest";

/** A server, started before the first test and ended after the last. */
export function useServer(): () => Cluster["primary"] {
  let cluster: Cluster | undefined;
  beforeAll(async () => {
    cluster = await startCluster({ replicas: 0 });
  });
  afterAll(async () => {
    await cluster?.close();
  });
  return () => {
    if (cluster === undefined) throw new Error("the server has not been started");
    return cluster.primary;
  };
}

/** How a pool is made of a configuration of `pg`. */
export type Make = (config: pg.PoolConfig) => pg.Pool;

/** Every way to a pool that is to behave as `pg`'s. */
export const WAYS: readonly (readonly [name: string, make: Make])[] = [
  [
    "asPgPool(database(fromPg(config)))",
    (config) => asPgPool(database(fromPg(config as Parameters<typeof fromPg>[0]))),
  ],
  ["new Pool(config) of @breakwater/pg", (config) => new Pool(config)],
  ["new Pool(config) of breakwater/pg", (config) => new PresetPool(config)],
];
