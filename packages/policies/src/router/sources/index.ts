/** Where the nodes of a router come from. */
export * from "./source.ts";
