/** Sends slow reads a second time, to another replica. */
export type { HedgeLost, HedgeSent, HedgeWon } from "./events.ts";
export { hedge } from "./hedge.ts";
export type { HedgeOptions } from "./options.ts";
