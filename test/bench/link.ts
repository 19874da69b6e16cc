/** Ways to the server with a round-trip time. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export const ROUND_TRIPS_MS = [0, 1, 5, 20] as const;

export interface Link {
  readonly url: string;
  end(): void;
}

/** A way to the server that takes so long there and back. In a process of its own, whose work is not counted. */
export async function delayed(url: string, roundTripMs: number): Promise<Link> {
  if (roundTripMs === 0) return { url, end: () => undefined };
  const { hostname, port } = new URL(url);
  const child = fork(fileURLToPath(new URL("delay.ts", import.meta.url)), [hostname, port, String(roundTripMs)]);
  const [listening] = (await once(child, "message")) as [number];
  const through = new URL(url);
  through.hostname = "127.0.0.1";
  through.port = String(listening);
  return { url: through.href, end: () => void child.kill() };
}
