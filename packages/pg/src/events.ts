/**
 * What listeners of a `pg.Pool` hear of its clients, on the bus of a stack.
 */
import type { Events } from "@breakwater/core";
import type { PgPool } from "./types.ts";

declare module "@breakwater/core" {
  interface EventMap {
    /** A client of `pg` has connected. What a listener sends over it comes before everything else. */
    "pg:connected": { readonly pool: string; readonly client: unknown };
    /** A client of `pg` has ended and counts no more. */
    "pg:removed": { readonly pool: string; readonly client: unknown };
    /** An idle client of `pg` died. */
    "pg:lost": { readonly pool: string; readonly client: unknown; readonly error: unknown };
  }
}

/** Passes a pool's events on to the bus of the stack that it is the bottom of. Returns the way to stop. */
export function tellEvents(from: PgPool, to: Events, pool: string): () => void {
  const listeners: Readonly<Record<string, (...given: never[]) => void>> = {
    connect: (client: unknown) => to.emit("pg:connected", { pool, client }),
    remove: (client: unknown) => to.emit("pg:removed", { pool, client }),
    error: (error: unknown, client: unknown) => to.emit("pg:lost", { pool, client, error }),
  };
  for (const [name, listener] of Object.entries(listeners)) from.on(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) from.removeListener(name, listener);
  };
}
