/** What a dialect builds its failure table of: the words of its rows, the rows that every database shares, and the judge. */
export * from "./facts.ts";
export * from "./judge.ts";
export * from "./row.ts";
export * from "./rows-socket.ts";
