/** A bound on how much load repeated attempts may add. */
export * from "./retry-budget.ts";
