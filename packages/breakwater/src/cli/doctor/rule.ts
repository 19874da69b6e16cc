/** What a finding is, and how the rules that make them are written. */
import { setTo } from "./change.ts";
import type { Node, Round, Setting } from "./facts.ts";

/** How bad it is, the worst first. */
export const LEVELS = ["error", "warning", "note"] as const;
export type Level = (typeof LEVELS)[number];

/** What a rule found at one place. */
export interface Found {
  /** Name of the node; undefined where it is about several. */
  readonly node?: string;
  /** The setting and its value, or whatever else was met. */
  readonly seen: string;
  /** The statement to run, or the option to set. */
  readonly change: string;
  /** Where it is not the rule's own. */
  readonly level?: Level;
}

/** One thing that may be wrong. */
export interface Rule {
  /** Stands in the output and on the page; it does not change. */
  readonly id: string;
  readonly level: Level;
  /** Why it matters: one plain sentence. */
  readonly why: string;
  find(round: Round): readonly Found[];
}

/** A rule that looks at one node at a time: at each server once, or, for what belongs to the link, at each node. */
export function nodeRule(
  rule: Omit<Rule, "find"> & {
    readonly each?: "server" | "link";
    find(node: Node, round: Round): Omit<Found, "node"> | undefined;
  },
): Rule {
  const { id, level, why, each = "server" } = rule;
  return {
    id,
    level,
    why,
    find: (round) =>
      (each === "server" ? round.servers : round.nodes).flatMap((node) => {
        const found = rule.find(node, round);
        return found === undefined ? [] : [{ node: node.name, ...found }];
      }),
  };
}

/** A row of the tables of settings. */
export interface SettingRow {
  readonly id: string;
  readonly level: Level;
  readonly setting: string;
  /** Only where the server has this role now. @default any */
  readonly on?: "primary" | "replica";
  readonly wrong: (value: string, node: Node) => boolean;
  /** What to set it to. */
  readonly wanted: string;
  readonly why: string;
}

/** The rule of a row. A server that does not know the setting is not found fault with. */
export function settingRule({ id, level, setting, on, wrong, wanted, why }: SettingRow): Rule {
  return nodeRule({
    id,
    level,
    why,
    find(node) {
      const found = node.settings.get(setting);
      if (found === undefined || (on !== undefined && node.state.role !== on) || !wrong(found.value, node))
        return undefined;
      return { seen: shown(found), change: setTo(node, setting, wanted) };
    },
  });
}

/** A setting as people write it. */
export function shown({ name, value, unit }: Setting): string {
  const hasUnit = unit !== undefined && Number(value) > 0;
  return `${name} = ${value === "" ? "''" : value}${hasUnit ? ` ${unit}` : ""}`;
}

/** The number that a setting has; undefined where the server does not know it. */
export function numberOf(node: Node, setting: string): number | undefined {
  const value = Number(node.settings.get(setting)?.value ?? Number.NaN);
  return Number.isNaN(value) ? undefined : value;
}

/** Bytes as people read them. */
export function bytes(count: bigint | number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = Number(count);
  let at = 0;
  for (; value >= 1_024 && at < units.length - 1; at += 1) value /= 1_024;
  return `${at === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[at]}`;
}

/** A time span as people read it. */
export function span(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
