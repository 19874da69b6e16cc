/** What a slow statement costs those that share connections: their p99 with it, against the same mix without it. */
import { type Client, TEXTS } from "./clients.ts";
import { type Figure, figure } from "./measure.ts";

const CALLERS = 16;
const SLOW = "SELECT pg_sleep(1)";

/** How many times as long, the median over the rounds; undefined where there is nothing to measure. */
export async function slowNeighbour(client: Client | undefined, rounds: number): Promise<Figure | undefined> {
  if (client === undefined) return undefined;
  const without = (): Promise<number> => p99(client, () => sleep(1_000));
  const beside = (): Promise<number> => p99(client, () => client.query(SLOW, []));
  const ratios: number[] = [];
  await without();
  for (let round = 0; round < rounds; round += 1) {
    // Either comes first in turn: what slows the machine down for some seconds falls on both alike.
    if (round % 2 === 0) {
      const alone = await without();
      ratios.push((await beside()) / alone);
    } else {
      const together = await beside();
      ratios.push(together / (await without()));
    }
  }
  return figure(ratios);
}

/** Of reads by key, for as long as something else takes. */
async function p99(client: Client, meanwhile: () => Promise<unknown>): Promise<number> {
  const state = { over: false };
  const times: number[] = [];
  const caller = async (): Promise<void> => {
    while (!state.over) {
      const begun = performance.now();
      await client.query(TEXTS.point, [1 + Math.floor(Math.random() * 99_000)]);
      times.push(performance.now() - begun);
    }
  };
  const callers = Array.from({ length: CALLERS }, caller);
  await meanwhile();
  state.over = true;
  await Promise.all(callers);
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
