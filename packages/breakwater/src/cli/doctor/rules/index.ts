/** Everything that is looked for. */
import type { Rule } from "../rule.ts";
import { CAPACITY } from "./capacity.ts";
import { CLUSTER } from "./cluster.ts";
import { DURABILITY } from "./durability.ts";
import { LINKS } from "./links.ts";
import { REPLICAS } from "./replicas.ts";
import { SERVER } from "./server.ts";
import { SESSIONS } from "./sessions.ts";
import { SILENT } from "./silent.ts";

export const RULES: readonly Rule[] = [
  ...SILENT,
  ...CLUSTER,
  ...DURABILITY,
  ...REPLICAS,
  ...SESSIONS,
  ...CAPACITY,
  ...LINKS,
  ...SERVER,
];
