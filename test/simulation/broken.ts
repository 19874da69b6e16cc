/** Policies with one mistake each, as people make them. */
import {
  failureOf,
  NoHealthyNodeError,
  type Operation,
  policy,
  type Policy,
  type Pool,
  RejectedError,
  RolledBackError,
  statefulPolicy,
  TimeoutError,
} from "@breakwater/core";

class RefusedError extends RejectedError {
  readonly code = "ERR_BREAKWATER_REFUSED";

  constructor(pool: string, why: string) {
    const failure = { phase: "acquire", effect: "none", retry: "other-node", blames: "node" } as const;
    super(`pool "${pool}": ${why}`, pool, { ...failure, connection: "keep", reason: why });
  }
}

/** Tries again whatever has failed, also a write that may have been carried out. */
export const retriesAmbiguousWrites: Policy = policy("retries-all", async (operation, next) => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await next({ ...operation, attempt });
    } catch (error) {
      const { blames } = failureOf(error);
      if (attempt === 4 || blames === "statement" || blames === "caller") throw error;
    }
  }
});

/** Opens after five failures in a row, for ever. */
export const neverHalfOpens = (): Policy =>
  statefulPolicy("deaf-breaker", (inner) => {
    let failures = 0;
    return {
      async execute(operation, next) {
        if (operation.purpose === "probe") return next(operation);
        if (failures >= 5) throw new RefusedError(inner.name, "circuit open");
        try {
          const value = await next(operation);
          failures = 0;
          return value;
        } catch (error) {
          if (failureOf(error).blames === "node") failures += 1;
          throw error;
        }
      },
    };
  });

/** Sends reads to the replicas in turn, and leaves out those that have failed, until none is left. */
export function ejectsEverything(replicas: readonly Pool[]): Policy {
  return (primary) => {
    const ejected = new Set<Pool>();
    let turn = 0;
    const execute = async <T>(operation: Operation<T>): Promise<T> => {
      if (operation.access === "write" || operation.consistency !== "eventual") return primary.execute(operation);
      const left = replicas.filter((node) => !ejected.has(node));
      const node = left[turn++ % left.length];
      if (node === undefined) throw new NoHealthyNodeError(primary.name, "any node", "all are ejected");
      try {
        return await node.execute(operation);
      } catch (error) {
        if (failureOf(error).blames === "node") ejected.add(node);
        throw error;
      }
    };
    const close = async (): Promise<void> =>
      void (await Promise.all([primary, ...replicas].map((node) => node.close())));
    const { name, dialect, events, layers } = primary;
    const stats = () => primary.stats();
    return { name, dialect, events, layers, execute, stats, close, interrupt: () => undefined };
  };
}

/** Takes COMMIT's answer for a yes, whatever it says. */
export const ignoresRollback: Policy = policy("trusting", async (operation, next) => {
  try {
    return await next(operation);
  } catch (error) {
    if (error instanceof RolledBackError) return undefined as never;
    throw error;
  }
});

/** Reads anywhere, whatever the session has written. */
export const readsStale: Policy = policy("stale", (operation, next) =>
  next(operation.access === "read" ? { ...operation, consistency: "eventual", causality: undefined } : operation),
);

/** Lets twenty calls run at a time, and forgets to give the place back when time ran out. */
export const losesPermits: Policy = statefulPolicy("leaky", (inner) => {
  let running = 0;
  return {
    async execute(operation, next) {
      if (running >= 20) throw new RefusedError(inner.name, "twenty calls run");
      running += 1;
      try {
        const value = await next(operation);
        running -= 1;
        return value;
      } catch (error) {
        const late = error instanceof TimeoutError || (error as Error).cause instanceof TimeoutError;
        if (!late) running -= 1;
        throw error;
      }
    },
    stats: () => ({ running }),
  };
});

/** Waits for its answer without any limit of its own: swallows the failure and never settles. */
export const swallowsFailures: Policy = policy("silent", (operation, next) =>
  next(operation).catch((error: unknown) => {
    if (failureOf(error).blames === "node") return new Promise<never>(() => undefined);
    throw error;
  }),
);
