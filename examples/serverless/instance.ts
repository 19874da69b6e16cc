/** The platform's side of an instance: takes invocations from the parent process, and hands back what the handler answers. */
import { on } from "node:events";
import { beforeFreeze, type Event, handler } from "./handler.ts";

for await (const [message] of on(process, "message", { close: ["disconnect"] })) {
  const { event, limitMs } = message as { readonly event?: Event; readonly limitMs: number };
  const ends = performance.now() + limitMs;
  const context = { getRemainingTimeInMillis: () => ends - performance.now() };
  const answer = event === undefined ? await beforeFreeze() : await handler(event, context);
  process.send?.(answer ?? null);
}
