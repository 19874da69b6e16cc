import { startCluster, type Cluster } from "@breakwater/chaos";
import type { EventMap } from "@breakwater/core";
import { telemetry } from "@breakwater/otel";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { afterEach, describe, expect, it } from "vitest";
import { closeStacks, stackOn } from "../support/database.ts";
import { until } from "../support/wait.ts";

/** One line of the text format: name, labels, value. */
interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The samples of a page in Prometheus' text format. */
function samplesOf(page: string): Sample[] {
  return page.split("\n").flatMap((line) => {
    const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (found === null || line.startsWith("#")) return [];
    const labels = [...(found[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]);
    return [{ name: found[1]!, labels: Object.fromEntries(labels) as Record<string, string>, value: Number(found[3]) }];
  });
}

/** The sum over all series of a name that have some labels. */
function sumOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number {
  return samples
    .filter((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
}

const EVENTS = [
  "retry:scheduled",
  "retry:exhausted",
  "router:rerouted",
  "router:role-changed",
  "router:node-down",
  "router:node-up",
  "commit-resolution:resolved",
  "call:outcome-unknown",
  "circuit-breaker:opened",
  "circuit-breaker:closed",
  "connection:lost",
  "connection:failed",
  "connection:timed-out",
  "pool:interrupted",
] as const satisfies readonly (keyof EventMap)[];

let cluster: Cluster;
const opened: { shutdown(): Promise<unknown> }[] = [];

afterEach(async () => {
  await closeStacks();
  await Promise.all(opened.splice(0).map((each) => each.shutdown()));
  await cluster.close();
});

describe("metrics of a failover, scraped as Prometheus does", () => {
  it("equal the counts of the run's own record", async () => {
    cluster = await startCluster({ replicas: 2, synchronous: true });
    await cluster.primary.query("CREATE TABLE orders (id serial PRIMARY KEY, caller int NOT NULL)");
    const exporter = new PrometheusExporter({ host: "127.0.0.1", preventServerStart: true });
    const meterProvider = new MeterProvider({ readers: [exporter] });
    opened.push(meterProvider);
    const port = await serve(exporter);

    const db = stackOn(cluster, {
      policies: [telemetry({ meterProvider, namespace: "shop", connectionTimes: "all" })],
      timeoutMs: 20_000,
    });
    const told = new Map<string, EventMap[keyof EventMap][]>(EVENTS.map((name) => [name, []]));
    for (const name of EVENTS) db.on(name, (event: EventMap[typeof name]) => void told.get(name)!.push(event));
    const record = { writes: 0, reads: 0, transactions: 0 };
    const failures: Record<string, number> = {};

    const load = { stopped: false };
    const callers = Array.from({ length: 4 }, async (_, caller) => {
      const counted = async (kind: "writes" | "reads" | "transactions", call: Promise<unknown>): Promise<void> => {
        await call.catch(({ code }: { readonly code: string }) => (failures[code] = (failures[code] ?? 0) + 1));
        record[kind] += 1;
      };
      while (!load.stopped) {
        await counted("writes", db.query("INSERT INTO orders (caller) VALUES ($1)", [caller], { exactlyOnce: true }));
        await counted("reads", db.query("SELECT count(*) FROM orders"));
        const both = db.transaction((tx) => tx.query("INSERT INTO orders (caller) VALUES ($1)", [caller]));
        await counted("transactions", both);
        // One that the database refuses, whatever it goes through.
        await counted("writes", db.query("INSERT INTO orders (caller) VALUES (NULL)"));
      }
    });
    const writes = (): number => record.writes;
    await until("some calls before", () => writes() > 20);
    await cluster.failover();
    const before = writes();
    await until("some calls after", () => writes() > before + 20);
    load.stopped = true;
    await Promise.all(callers);

    // Nothing is told between the page and the record: what is told of in the background has come to rest.
    const size = (): number => [...told.values()].reduce((sum, events) => sum + events.length, 0);
    let samples: Sample[] = [];
    await until("a page during which nothing happened", async () => {
      const atFirst = size();
      const page = await fetch(`http://127.0.0.1:${port}/metrics`);
      expect(page.headers.get("content-type")).toMatch(/^text\/plain/);
      samples = samplesOf(await page.text());
      return size() === atFirst;
    });

    const calls = "db_client_operation_duration_count";
    expect(record.writes).toBeGreaterThan(40);
    expect({
      writes: sumOf(samples, calls, { db_operation_name: "INSERT", db_query_summary: "INSERT orders" }),
      reads: sumOf(samples, calls, { db_operation_name: "SELECT" }),
      transactions: sumOf(samples, calls, { db_operation_name: "TRANSACTION" }),
    }).toEqual(record);
    const errors = new Set(samples.flatMap(({ labels }) => labels["error_type"] ?? []));
    expect(Object.fromEntries([...errors].map((type) => [type, sumOf(samples, calls, { error_type: type })]))).toEqual(
      failures,
    );
    expect(failures["23502"]).toBeGreaterThan(10);
    expect(sumOf(samples, calls, { db_response_status_code: "23502" })).toBe(failures["23502"]);

    const counts = Object.fromEntries(EVENTS.map((name) => [name, told.get(name)!.length]));
    const exported = EVENTS.map((name) => [
      name,
      sumOf(samples, "breakwater_events_total", { breakwater_event: name }),
    ]);
    expect(Object.fromEntries(exported)).toEqual(counts);
    expect(counts["router:role-changed"]).toBeGreaterThan(0);
    expect(counts["router:node-down"]).toBeGreaterThan(0);
    expect(sumOf(samples, "breakwater_retries_total")).toBe(counts["retry:scheduled"]);
    expect(sumOf(samples, "breakwater_router_reroutes_total")).toBe(counts["router:rerouted"]);
    const toPrimary = told
      .get("router:role-changed")!
      .filter((event) => (event as { role: string }).role === "primary");
    expect(sumOf(samples, "breakwater_router_role_changes_total", { breakwater_node_role: "primary" })).toBe(
      toPrimary.length,
    );
    for (const outcome of ["committed", "rolled-back", "unprovable"]) {
      const resolved = told
        .get("commit-resolution:resolved")!
        .filter((event) => (event as { outcome: string }).outcome === outcome);
      expect([outcome, sumOf(samples, "breakwater_commit_resolutions_total", { breakwater_outcome: outcome })]).toEqual(
        [outcome, resolved.length],
      );
    }

    const { nodes } = db.stats();
    expect(nodes).toHaveLength(3);
    for (const { name, role, state, pool } of nodes) {
      expect(sumOf(samples, "breakwater_node_calls_total", { breakwater_node_name: name })).toBe(pool.metrics.calls);
      expect(sumOf(samples, "breakwater_node_failures_total", { breakwater_node_name: name })).toBe(
        pool.metrics.failed,
      );
      expect(
        sumOf(samples, "breakwater_node_status", {
          breakwater_node_name: name,
          breakwater_node_role: role,
          breakwater_node_state: state,
        }),
      ).toBe(1);
      const held = { db_client_connection_pool_name: pool.name };
      expect(sumOf(samples, "db_client_connection_use_time_count", held)).toBe(pool.metrics.execution.count);
      expect(sumOf(samples, "db_client_connection_wait_time_count", held)).toBe(pool.metrics.acquire.count);
      expect(sumOf(samples, "db_client_connection_create_time_count", held)).toBe(pool.metrics.connections.opened);
    }
  });
});

/** Serves the exporter's page at a free port. */
async function serve(exporter: PrometheusExporter): Promise<number> {
  const { createServer } = await import("node:http");
  const server = createServer((request, response) => exporter.getMetricsRequestHandler(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push({ shutdown: () => new Promise((resolve) => server.close(resolve)) });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the page has no port");
  return address.port;
}
