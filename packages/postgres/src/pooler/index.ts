export { Pooler, type PoolerLimits, type PoolerOption, type PoolerQuestions } from "./opener.ts";
