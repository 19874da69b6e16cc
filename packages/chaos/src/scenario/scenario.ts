/** Scenarios: a load on a cluster, what is done to the cluster meanwhile, and what must be true in the end. */
import { ScenarioError, type ScenarioIssue } from "./issue.ts";
import type { Scenario, ScenarioDefinition } from "./model.ts";
import { orderIssues } from "./order.ts";
import { scenarioShape } from "./schema.ts";

/**
 * Checks a scenario written in TypeScript.
 *
 * @throws ScenarioError with everything that is wrong.
 */
export function scenario(definition: ScenarioDefinition): Scenario {
  const name = typeof definition?.name === "string" ? definition.name : "scenario";
  return checkedScenario(definition, name, []);
}

/** Checks what was read from anywhere; `locate` adds line and column to an issue. @throws ScenarioError */
export function checkedScenario(
  given: unknown,
  source: string,
  known: readonly ScenarioIssue[],
  locate: (issue: ScenarioIssue) => ScenarioIssue = (issue) => issue,
): Scenario {
  const issues: ScenarioIssue[] = [...known];
  scenarioShape.check(given, [], (issue) => issues.push(locate(issue)));
  // What stands in no right place cannot be in the right order.
  if (issues.length === 0) issues.push(...orderIssues(given as ScenarioDefinition).map(locate));
  if (issues.length > 0) throw new ScenarioError(source, inOrder(issues));
  const definition = given as ScenarioDefinition;
  return { ...definition, description: definition.description ?? "", source };
}

function inOrder(issues: readonly ScenarioIssue[]): ScenarioIssue[] {
  return issues.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
