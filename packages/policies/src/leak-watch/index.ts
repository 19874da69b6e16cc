/** Tells who holds a connection for too long, and can take it back. */
export * from "./events.ts";
export * from "./held-too-long-error.ts";
export { leakWatch, type LeakWatchOptions } from "./leak-watch.ts";
