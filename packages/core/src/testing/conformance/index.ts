export * from "./subject.ts";
export { adapterConformance } from "./suite.ts";
export { policyConformance, type PolicyTraits } from "./policy.ts";
