/** Grows a pool when calls wait for connections, and shrinks it when it is larger than it need be. */
export * from "./events.ts";
export { autosize } from "./autosize.ts";
export type { AutosizeOptions } from "./options.ts";
