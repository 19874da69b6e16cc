/**
 * What listeners of a `pg.Pool` hear of its clients, on the bus of a stack.
 */
import type { EventMap, Events } from "@breakwater/core";
import type { EventEmitter } from "node:events";
import type { PgPool } from "../types.ts";

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

/**
 * Lets an emitter's listeners of `connect`, `remove` and `error` hear what happens in a stack. The stack is listened to
 * only while somebody listens here: many faces of one stack cost it nothing. Returns the way to stop.
 */
export function hearEvents(emitter: EventEmitter, events: Events): () => void {
  const bridges: ReadonlyMap<string, () => () => void> = new Map([
    ["connect", () => events.on("pg:connected", ({ client }) => void emitter.emit("connect", client))],
    ["remove", () => events.on("pg:removed", ({ client }) => void emitter.emit("remove", client))],
    // An idle connection that dies is no news to a stack; it ends no process here.
    [
      "error",
      () => events.on("pg:lost", ({ error, client }: EventMap["pg:lost"]) => emitError(emitter, error, client)),
    ],
  ]);
  const open = new Map<string, () => void>();
  emitter.on("newListener", (name: string) => {
    const bridge = bridges.get(name);
    if (bridge !== undefined && !open.has(name)) open.set(name, bridge());
  });
  emitter.on("removeListener", (name: string) => {
    if (emitter.listenerCount(name) > 0) return;
    open.get(name)?.();
    open.delete(name);
  });
  return () => {
    for (const close of open.values()) close();
    open.clear();
  };
}

function emitError(emitter: EventEmitter, error: unknown, client: unknown): void {
  if (emitter.listenerCount("error") > 0) emitter.emit("error", error, client);
}
