/** Many rows with one call, against one statement for each in a transaction. */
import type { Client } from "./clients.ts";
import { type Figure, figure } from "./measure.ts";

const ROWS = 10_000;

/** How many times as fast; undefined where there is nothing to compare. */
export async function bulk([bare, ours]: readonly Client[], rounds: number): Promise<Figure | undefined> {
  if (bare?.insert === undefined || ours?.insert === undefined) return undefined;
  const rows = Array.from({ length: ROWS }, (_, id): [number, string] => [id, `row ${id}`]);
  const ratios: number[] = [];
  for (let round = 0; round < Math.min(rounds, 5); round += 1) {
    const one = await took(() => bare.insert?.(rows));
    const many = await took(() => ours.insert?.(rows));
    ratios.push(one / many);
  }
  return figure(ratios);
}

async function took(work: () => Promise<unknown> | undefined): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
