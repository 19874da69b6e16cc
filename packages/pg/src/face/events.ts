/**
 * Lets those who listen to a face hear what happens to the clients of its stack.
 */
import type { EventMap, Events } from "@breakwater/core";
import type { EventEmitter } from "node:events";

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
