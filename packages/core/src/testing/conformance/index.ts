export * from "./subject.ts";
export { adapterConformance } from "./suite.ts";
export { policyConformance } from "./policy.ts";
export type { PolicyTraits } from "./policy-trial.ts";
