/** Sends fewer calls to a server that refuses them for lack of room. */
export * from "./events.ts";
export { type Throttle, throttle, type ThrottleLimits, type ThrottleOptions } from "./throttle.ts";
export * from "./throttled-error.ts";
