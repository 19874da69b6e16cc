/**
 * A scenario provokes errors on purpose and says what the law makes of each.
 */
import type { Lab } from "./lab.ts";
import type { Observation } from "./law.ts";

/** One way to provoke errors. */
export interface Scenario {
  /** Finishes the sentence "judges …". */
  readonly name: string;
  /** Why it cannot be run here; undefined where it can. */
  skip?(lab: Lab): Promise<string | undefined>;
  run(lab: Lab): Promise<readonly Observation[]>;
}
