/** What a slow statement costs those that share connections: their p99 with it, against the same mix without it. */
import { type Client, TEXTS } from "./clients.ts";
import { type Figure, figure } from "./measure.ts";

const CALLERS = 16;
const SLOW = "SELECT pg_sleep(1)";

/** How many times as long; undefined where there is nothing to measure. */
export async function slowNeighbour([, ours]: readonly Client[], rounds: number): Promise<Figure | undefined> {
  if (ours === undefined) return undefined;
  const ratios: number[] = [];
  for (let round = 0; round < Math.min(rounds, 5); round += 1) {
    const without = await p99(ours, () => sleep(1_000));
    ratios.push((await p99(ours, () => ours.query(SLOW, []))) / without);
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
