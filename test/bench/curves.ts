/** Over connections with and without a round-trip time: reads from 1 to 256 callers, and a transaction of one. */
import pg from "pg";
import { type Client, CLIENTS, TEXTS } from "./clients.ts";
import { delayed, ROUND_TRIPS_MS } from "./link.ts";
import { type Figure, figure, turned } from "./measure.ts";

export interface Curve {
  readonly title: string;
  /** Calls per second by callers, medians. */
  readonly lines: readonly { readonly name: string; readonly points: readonly (readonly [number, number])[] }[];
}

/** How long a small write transaction of one caller takes. */
export interface Transactions {
  readonly roundTripMs: number;
  /** What a round trip took that did nothing. */
  readonly measuredMs: number;
  readonly rows: readonly {
    readonly client: string;
    readonly ms: number;
    /** Transactions per second, relative to the first client in the same run. */
    readonly ratio: Figure;
  }[];
}

interface Found {
  readonly curves: Curve[];
  readonly transactions: Transactions[];
}

const CALLERS = [1, 4, 16, 64, 256];
/** Which of the clients are drawn. */
const DRAWN = [0, 1, 2, 5, 6];

export async function curves(url: string, short: boolean): Promise<Found> {
  const found: Found = { curves: [], transactions: [] };
  for (const roundTripMs of ROUND_TRIPS_MS) {
    const link = await delayed(url, roundTripMs);
    const clients: Client[] = [];
    try {
      for (const index of DRAWN) {
        const client = await CLIENTS[index]?.(link.url);
        if (client !== undefined) clients.push(client);
      }
      found.curves.push({ title: `Round-trip time ${roundTripMs} ms`, lines: await reads(clients, short) });
      const measuredMs = await roundTrip(link.url);
      found.transactions.push({ roundTripMs, measuredMs, rows: await writes(clients, roundTripMs, short) });
    } finally {
      await Promise.all(clients.map((client) => client.close()));
      link.end();
    }
  }
  return found;
}

async function reads(clients: readonly Client[], short: boolean): Promise<Curve["lines"]> {
  const lines = clients.map((client) => ({ client, name: client.name, points: [] as [number, number][] }));
  for (const callers of CALLERS) {
    const turns = lines.map((line) => ({ ...line, rounds: [] as number[] }));
    for (const { client } of turns) await perSecond(client, callers, short ? 50 : 150);
    for (let round = 0; round < 3; round += 1) {
      for (const { client, rounds } of turned(turns, round)) {
        rounds.push(await perSecond(client, callers, short ? 100 : 300));
      }
    }
    for (const { points, rounds } of turns) points.push([callers, figure(rounds).median]);
  }
  return lines.map(({ name, points }) => ({ name, points }));
}

async function perSecond(client: Client, callers: number, ms: number): Promise<number> {
  const started = performance.now();
  const end = started + ms;
  let count = 0;
  const caller = async (): Promise<void> => {
    for (; performance.now() < end; count += 1) await client.query(TEXTS.point, [anyId()]);
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (count / (performance.now() - started)) * 1_000;
}

async function writes(clients: readonly Client[], roundTripMs: number, short: boolean): Promise<Transactions["rows"]> {
  const able = clients.flatMap(({ name, write }) =>
    write === undefined ? [] : [{ name, write, took: [] as number[] }],
  );
  // About so long a turn, with some five round trips each.
  const count = Math.max(4, Math.ceil((short ? 100 : 300) / (1 + 5 * roundTripMs)));
  const turn = async (write: NonNullable<Client["write"]>): Promise<number> => {
    const started = performance.now();
    for (let done = 0; done < count; done += 1) await write(anyId());
    return (performance.now() - started) / count;
  };
  for (const { write } of able) await turn(write);
  for (let round = 0; round < (short ? 3 : 5); round += 1) {
    for (const { write, took } of turned(able, round)) took.push(await turn(write));
  }
  const bare = able[0]?.took ?? [];
  return able.map(({ name, took }) => ({
    client: name,
    ms: figure(took).median,
    ratio: figure(took.map((ms, round) => (bare[round] ?? Number.NaN) / ms)),
  }));
}

async function roundTrip(url: string): Promise<number> {
  const client = new pg.Client(url);
  await client.connect();
  const took: number[] = [];
  for (let index = 0; index < 20; index += 1) {
    const started = performance.now();
    await client.query("");
    took.push(performance.now() - started);
  }
  await client.end();
  return figure(took).median;
}

function anyId(): number {
  return 1 + Math.floor(Math.random() * 99_000);
}
