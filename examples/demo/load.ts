/**
 * The load: callers as a service has them. Each makes its next call at its own pace, and waits for the answer first.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Call, make, nextCall } from "./calls.ts";
import type { Client } from "./client.ts";
import { dice } from "./random.ts";
import type { Record } from "./record.ts";
import type { Side } from "./schema.ts";

/** How many callers make which calls. Together they make up to 200 calls a second. */
const CALLERS: readonly (readonly [kind: Call["kind"], count: number])[] = [
  ["read", 24],
  ["order", 10],
  ["transfer", 6],
];

/** From one call of a caller to its next on average, in milliseconds. */
const PACE_MS = 200;

/** A load that runs. */
export interface Load {
  /** Makes no further calls; resolves when those under way have ended, or after the limit. */
  stop(limitMs: number): Promise<void>;
}

/** Starts all callers of one side. */
export function startLoad(seed: number, side: Side, client: Client, record: Record): Load {
  const stopping = new AbortController();
  const callers = CALLERS.flatMap(([kind, count]) =>
    Array.from({ length: count }, (_, number) => callAgainAndAgain(seed, kind, number, stopping.signal)),
  );
  const ended = Promise.all(callers);

  async function callAgainAndAgain(of: number, kind: Call["kind"], number: number, stop: AbortSignal): Promise<void> {
    const random = dice(of, `${kind} ${number}`);
    let due = performance.now() + PACE_MS * random();
    for (let count = 1; ; count += 1) {
      await pause(Math.max(0, due - performance.now()), undefined, { signal: stop }).catch(() => undefined);
      if (stop.aborted) return;
      // Both sides draw the same dice for the same call, however long the one before it took.
      const call = nextCall(kind, `${kind}-${number}-${count}`, random);
      const nextIn = PACE_MS * (0.5 + random());
      due = Math.max(due + nextIn, performance.now());
      await measured(call);
    }
  }

  async function measured(call: Call): Promise<void> {
    const end = record.begin(call);
    try {
      await make(call, client, side);
      end("ok");
    } catch (error) {
      end(client.saysUnknown(error) ? "unknown" : "failed", error);
    }
  }

  return {
    async stop(limitMs) {
      stopping.abort();
      const limit = new AbortController();
      await Promise.race([ended, pause(limitMs, undefined, { signal: limit.signal }).catch(() => undefined)]);
      limit.abort();
    },
  };
}
