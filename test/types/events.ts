/** Names and payloads of events, those that policies add included. */
import type { Database, EventMap, Failure, Listener } from "@breakwater/core";
import type { CircuitOpened, RetryExhausted, RetryScheduled } from "@breakwater/policies";
import { equal } from "./equal.ts";

declare const db: Database;

declare module "@breakwater/core" {
  interface EventMap {
    /** An event as a policy written elsewhere adds it. */
    "elsewhere:happened": { readonly pool: string; readonly times: number };
  }
}

equal<EventMap["retry:scheduled"], RetryScheduled>();
equal<EventMap["retry:exhausted"], RetryExhausted>();
equal<EventMap["circuit-breaker:opened"], CircuitOpened>();
equal<RetryScheduled["failure"], Failure>();
equal<RetryExhausted["why"], "max-retries" | "deadline" | "budget" | "closed">();

const stop = db.on("retry:scheduled", ({ attempt, delayMs, failure }) => {
  equal<typeof attempt, number>();
  equal<typeof delayMs, number>();
  equal<typeof failure.blames, "node" | "load" | "contention" | "statement" | "caller">();
});
equal<typeof stop, () => void>();

db.on("call:outcome-unknown", ({ pool, label, error }) => [pool, label, error.message]);
db.on("router:role-changed", ({ node, role }) => role === "primary" && node);
db.on("elsewhere:happened", ({ times }) => times + 1);
db.pool.events.emit("elsewhere:happened", { pool: "a", times: 1 });

// @ts-expect-error there is no such event
db.on("retry:schedule", () => undefined);
// @ts-expect-error the event has no such field
db.on("retry:scheduled", ({ attempts }) => attempts);
// @ts-expect-error an event is not changed by who hears it
db.on("retry:scheduled", (event) => (event.attempt = 1));
// @ts-expect-error an event is told with all of its fields
db.pool.events.emit("elsewhere:happened", { pool: "a" });
// @ts-expect-error a listener of one event does not hear another
export const listener: Listener<"router:node-up"> = ({ role }: { readonly role: string }) => role;
