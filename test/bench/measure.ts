/** Slices of load in turn, so that a busy machine slows all of them alike; medians and their spread. */
import type { Client } from "./clients.ts";
import type { Server } from "./server.ts";

/** One slice of load. */
interface Slice {
  readonly perSecond: number;
  /** Per call, in microseconds. */
  readonly clientCpu: number;
  readonly serverCpu: number | undefined;
  /** How long each call took, in milliseconds. */
  readonly times: readonly number[];
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
  };
  /** The p99 of all calls, relative to that of the first client. */
  readonly p99Ratio: number;
  /** Calls per second, relative to postgres.js in the same run. */
  readonly toPostgresJs: Figure;
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
    for (const { call, slices } of turned(able, round)) {
      slices.push(await slice(call, each.callers, how.sliceMs, server));
    }
  }
  const bare = able[0]?.slices ?? [];
  const other = able.find(({ name }) => name === "postgres.js")?.slices ?? [];
  const bareTimes = quantiles(bare);
  const rows = able.map(({ name, slices }): Row => {
    const to = (others: readonly Slice[], key: "perSecond" | "clientCpu" | "serverCpu"): Figure =>
      figure(slices.map((one, round) => (one[key] ?? Number.NaN) / (others[round]?.[key] ?? Number.NaN)));
    const times = quantiles(slices);
    return {
      client: name,
      ratios: {
        perSecond: to(bare, "perSecond"),
        clientCpu: to(bare, "clientCpu"),
        serverCpu: to(bare, "serverCpu"),
      },
      p99Ratio: times.p99 / bareTimes.p99,
      toPostgresJs: to(other, "perSecond"),
      perSecond: figure(slices.map((one) => one.perSecond)).median,
      ...times,
    };
  });
  return { name: each.name, callers: each.callers, rows };
}

/** Another one begins each round: what the one before left to be cleared away, or to be woken, falls on all alike. */
export function turned<T>(list: readonly T[], round: number): T[] {
  return list.map((_, index) => list[(index + round) % list.length]!);
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
  const count = times.length;
  return {
    perSecond: (count / took) * 1_000,
    clientCpu: (user + system) / count,
    serverCpu:
      serverBefore === undefined || serverAfter === undefined ? undefined : (serverAfter - serverBefore) / count,
    times,
  };
}

/**
 * Of the calls of all slices together: a slice has too few of the slowest. On a machine with few processors they are those for
 * which the system let a process wait for its next tick, some milliseconds, which strikes one slice and spares the next.
 */
function quantiles(slices: readonly Slice[]): { readonly p50: number; readonly p99: number } {
  const times = Float64Array.from(slices.flatMap((one) => one.times)).toSorted();
  return { p50: times[Math.floor(times.length * 0.5)] ?? 0, p99: times[Math.floor(times.length * 0.99)] ?? 0 };
}

/** The median of some numbers, and the distance between their quartiles. */
export function figure(numbers: readonly number[]): Figure {
  const sorted = numbers.filter((number) => !Number.isNaN(number)).toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { median: at(0.5), spread: at(0.75) - at(0.25) };
}
