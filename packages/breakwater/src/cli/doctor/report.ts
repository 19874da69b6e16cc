/** What is told of it, to people and to programs. */
import { harmless, harmlessJson } from "../harmless.ts";
import type { Finding } from "./diagnose.ts";
import type { Node, Round, SilentNode } from "./facts.ts";
import { LEVELS } from "./rule.ts";

const WIDTH = 10;

/** One block for each node, and one for what concerns several. */
export function textOf(round: Round, findings: readonly Finding[]): string {
  const blocks = [
    ...round.nodes.map((node) => [`${node.name}  ${standing(node)}`, findingsOf(node.name, findings)]),
    ...round.silent.map(({ name }) => [`${name}  not examined`, findingsOf(name, findings)]),
    ["the nodes together", findingsOf(null, findings)],
  ] as const;
  const shown = blocks.flatMap(([title = "", lines = ""]) => {
    if (lines !== "") return [`${harmless(title)}\n${lines}`];
    return title === "the nodes together" ? [] : [`${harmless(title)}\n  nothing to change\n`];
  });
  return `${shown.join("\n")}\n${sumOf(round, findings)}\n`;
}

/** The shape is kept: what is new is added. */
export function jsonOf(round: Round, findings: readonly Finding[]): string {
  const all = {
    nodes: [...round.nodes.map(nodeJson), ...round.silent.map(silentJson)],
    findings,
    counts: Object.fromEntries(LEVELS.map((level) => [level, count(findings, level)])),
  };
  return `${harmlessJson(all, 1)}\n`;
}

function findingsOf(node: string | null, findings: readonly Finding[]): string {
  return findings
    .filter((finding) => finding.node === node)
    .map(({ id, level, seen, why, change }) => {
      const lines = [
        `${level.padEnd(WIDTH - 2)}${id}`,
        ...[seen, why, `change: ${change}`].map((line) => " ".repeat(WIDTH - 2) + line),
      ];
      return lines.map((line) => `  ${harmless(line)}\n`).join("");
    })
    .join("");
}

function standing({ state, versionText, pooled, lag }: Node): string {
  const timeline = state.timeline === undefined ? "" : `, timeline ${state.timeline}`;
  const caughtUp = lag?.bytes === 0n ? `, has what the primary had ${lag.waitedMs} ms ago` : "";
  return `${state.role}, PostgreSQL ${versionText}${timeline}${pooled ? ", behind a pooler" : ""}${caughtUp}`;
}

function sumOf(round: Round, findings: readonly Finding[]): string {
  const nodes = round.nodes.length + round.silent.length;
  const counts = LEVELS.map((level) => some(count(findings, level), level));
  return `${some(nodes, "node")}: ${counts.join(", ")}`;
}

function some(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function count(findings: readonly Finding[], level: string): number {
  return findings.filter((finding) => finding.level === level).length;
}

function nodeJson({ name, expected, state, versionText, tls, pooled, lag }: Node): object {
  return {
    name,
    expected: expected ?? null,
    role: state.role,
    version: versionText,
    systemId: state.systemId ?? null,
    timeline: state.timeline ?? null,
    tls,
    pooled,
    lagBytes: lag === undefined ? null : Number(lag.bytes),
  };
}

function silentJson({ name, expected, problem }: SilentNode): object {
  return { name, expected: expected ?? null, role: null, problem: problem.message };
}
