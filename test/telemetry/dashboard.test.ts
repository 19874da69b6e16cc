import { compose } from "@breakwater/core";
import { fakePool } from "@breakwater/core/testing";
import { telemetry } from "@breakwater/otel";
import { createNoopMeter, type Meter } from "@opentelemetry/api";
import { describe, expect, it } from "vitest";
import { read } from "../packages/tree.ts";

/** Names of all instruments that telemetry makes, as Prometheus has them, without endings. */
function instruments(): ReadonlySet<string> {
  const names = new Set<string>();
  const meter = createNoopMeter();
  const noting = new Proxy({} as Meter, {
    get: (_, method: keyof Meter) =>
      method.startsWith("create")
        ? (name: string) => {
            names.add(name.replaceAll(".", "_"));
            return meter.createObservableGauge(name);
          }
        : () => undefined,
  });
  compose(telemetry({ meterProvider: { getMeter: () => noting } }))(fakePool());
  return names;
}

const dashboard = read("examples/dashboards/breakwater.json");

describe("the dashboard", () => {
  it("asks for metrics that there are, and for nearly all of them", () => {
    const known = instruments();
    const asked = new Set(
      [...dashboard.matchAll(/\b(?:breakwater_[a-z_]+|db_client_[a-z_]+)(?=[[{(",])/g)].map(([name]) =>
        name.replace(/_(?:total|bucket|count|sum)$/, ""),
      ),
    );
    // Attributes stand in the same places.
    const metrics = [...asked].filter(
      (name) => !new RegExp(`[(,{} ]${name}[=!,)}]`).test(dashboard) || known.has(name),
    );
    expect(metrics.filter((name) => !known.has(name) && !known.has(`${name}_count`))).toEqual([]);
    expect(metrics.length).toBeGreaterThan(12);
  });

  it("has panels that do not overlap, each with a question", () => {
    interface Panel {
      readonly id: number;
      readonly type: string;
      readonly targets?: readonly { readonly expr: string }[];
      readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    }
    const { panels } = JSON.parse(dashboard) as { readonly panels: readonly Panel[] };
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    const asking = panels.filter(({ type }) => type !== "row");
    expect(
      asking.filter(({ targets = [] }) => targets.length === 0 || targets.some(({ expr }) => expr === "")),
    ).toEqual([]);
  });
});
