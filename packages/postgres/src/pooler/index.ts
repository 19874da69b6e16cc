export { Pooler, type PoolerOption } from "./opener.ts";
