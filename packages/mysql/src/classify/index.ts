/** Tells reads from writes. */
export { classify, commandOf, commits, commitsInParts } from "./classify.ts";
