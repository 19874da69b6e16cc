/** Slices of load in turn, so that a busy machine slows all of them alike; medians and their spread. */
import type { Client } from "./clients.ts";
import type { Server } from "./server.ts";

/** One slice of load. */
interface Slice {
  readonly perSecond: number;
  /** Per call, in microseconds. */
  readonly clientCpu: number;
  readonly serverCpu: number | undefined;
  readonly p50: number;
  readonly p99: number;
}

export interface Case {
  readonly name: string;
  readonly callers: number;
  /** Undefined for a client that cannot do it. */
  readonly of: (client: Client) => (() => Promise<unknown>) | undefined;
}

/** A median, and how far the middle half of the rounds lies apart. */
export interface Figure {
  readonly median: number;
  readonly spread: number;
}

export interface Row {
  readonly client: string;
  /** Relative to the first client in the same run. */
  readonly ratios: {
    readonly perSecond: Figure;
    readonly clientCpu: Figure;
    readonly serverCpu: Figure;
    readonly p99: Figure;
  };
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

export interface Table {
  readonly name: string;
  readonly callers: number;
  readonly rows: readonly Row[];
}

export async function measure(
  each: Case,
  clients: readonly Client[],
  server: Server,
  how: { readonly rounds: number; readonly sliceMs: number },
): Promise<Table> {
  const able = clients.flatMap((client) => {
    const call = each.of(client);
    return call === undefined ? [] : [{ name: client.name, call, slices: [] as Slice[] }];
  });
  for (const { call } of able) await slice(call, each.callers, how.sliceMs / 2, server);
  for (let round = 0; round < how.rounds; round += 1) {
    for (const { call, slices } of able) slices.push(await slice(call, each.callers, how.sliceMs, server));
  }
  const bare = able[0]?.slices ?? [];
  const rows = able.map(({ name, slices }): Row => {
    const ratio = (key: "perSecond" | "clientCpu" | "serverCpu" | "p99"): Figure =>
      figure(slices.map((one, round) => (one[key] ?? Number.NaN) / (bare[round]?.[key] ?? Number.NaN)));
    const median = (key: "perSecond" | "p50" | "p99"): number => figure(slices.map((one) => one[key])).median;
    return {
      client: name,
      ratios: {
        perSecond: ratio("perSecond"),
        clientCpu: ratio("clientCpu"),
        serverCpu: ratio("serverCpu"),
        p99: ratio("p99"),
      },
      perSecond: median("perSecond"),
      p50: median("p50"),
      p99: median("p99"),
    };
  });
  return { name: each.name, callers: each.callers, rows };
}

async function slice(call: () => Promise<unknown>, callers: number, ms: number, server: Server): Promise<Slice> {
  const times: number[] = [];
  const serverBefore = await server.cpu();
  const before = process.cpuUsage();
  const started = performance.now();
  const end = started + ms;
  const caller = async (): Promise<void> => {
    for (let begun = performance.now(); begun < end;) {
      await call();
      const now = performance.now();
      times.push(now - begun);
      begun = now;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const took = performance.now() - started;
  const { user, system } = process.cpuUsage(before);
  const serverAfter = await server.cpu();
  times.sort((a, b) => a - b);
  const count = times.length;
  return {
    perSecond: (count / took) * 1_000,
    clientCpu: (user + system) / count,
    serverCpu:
      serverBefore === undefined || serverAfter === undefined ? undefined : (serverAfter - serverBefore) / count,
    p50: times[Math.floor(count * 0.5)] ?? 0,
    p99: times[Math.floor(count * 0.99)] ?? 0,
  };
}

/** The median of some numbers, and the distance between their quartiles. */
export function figure(numbers: readonly number[]): Figure {
  const sorted = numbers.filter((number) => !Number.isNaN(number)).toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { median: at(0.5), spread: at(0.75) - at(0.25) };
}
