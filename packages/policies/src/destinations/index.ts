/** Several databases behind one face: each call goes to one of them, by rule, by name or by tenant. */
export type { CallMatch, RuleCall } from "../call-match.ts";
export { destinations } from "./destinations.ts";
export * from "./events.ts";
export type { DestinationRule, DestinationsOptions } from "./options.ts";
export { TooManyDestinationsError } from "./too-many-destinations-error.ts";
