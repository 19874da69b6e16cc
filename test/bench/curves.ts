/** Throughput from 1 to 256 callers, over connections with and without a round-trip time. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Client, CLIENTS, TEXTS } from "./clients.ts";

export interface Curve {
  readonly title: string;
  readonly lines: readonly { readonly name: string; readonly points: readonly (readonly [number, number])[] }[];
}

const CALLERS = [1, 4, 16, 64, 256];
const ROUND_TRIPS_MS = [0, 1, 5, 20];
/** Which of the clients are drawn. */
const DRAWN = [0, 1, 2, 5];

export async function curves(url: string, short: boolean): Promise<Curve[]> {
  const found: Curve[] = [];
  for (const roundTripMs of ROUND_TRIPS_MS) {
    const link = await delayed(url, roundTripMs);
    const lines: { name: string; points: [number, number][] }[] = [];
    const clients: Client[] = [];
    for (const index of DRAWN) {
      const client = await CLIENTS[index]?.(link.url);
      if (client !== undefined) clients.push(client);
    }
    for (const client of clients) {
      const points: [number, number][] = [];
      for (const callers of CALLERS) points.push([callers, await perSecond(client, callers, short ? 150 : 600)]);
      lines.push({ name: client.name, points });
    }
    await Promise.all(clients.map((client) => client.close()));
    link.end();
    found.push({ title: `Round-trip time ${roundTripMs} ms`, lines });
  }
  return found;
}

async function perSecond(client: Client, callers: number, ms: number): Promise<number> {
  const run = async (end: number): Promise<number> => {
    let count = 0;
    const caller = async (): Promise<void> => {
      for (; performance.now() < end; count += 1)
        await client.query(TEXTS.point, [1 + Math.floor(Math.random() * 99_000)]);
    };
    await Promise.all(Array.from({ length: callers }, caller));
    return count;
  };
  await run(performance.now() + ms / 3);
  const started = performance.now();
  const count = await run(started + ms);
  return (count / (performance.now() - started)) * 1_000;
}

/** A way to the server that takes so long there and back. In a process of its own, whose work is not counted. */
async function delayed(url: string, roundTripMs: number): Promise<{ readonly url: string; end(): void }> {
  if (roundTripMs === 0) return { url, end: () => undefined };
  const { hostname, port } = new URL(url);
  const child = fork(fileURLToPath(new URL("delay.ts", import.meta.url)), [hostname, port, String(roundTripMs / 2)]);
  const [listening] = (await once(child, "message")) as [number];
  const through = new URL(url);
  through.hostname = "127.0.0.1";
  through.port = String(listening);
  return { url: through.href, end: () => void child.kill() };
}
