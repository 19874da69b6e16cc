/**
 * What was so over which time, as bars on the time axis: faults, nodes, breakers, violations. Each bar is an element with a text,
 * so that a screen reader and the keyboard find what a mouse does.
 */
import type { RunLane, RunRecord } from "../run/record.ts";
import { duration, several } from "./format.ts";
import { html, type Markup } from "./markup.ts";

interface Bar {
  readonly fromMs: number;
  readonly toMs: number;
  readonly text: string;
  /** Says how the bar looks; a name of the style sheet. */
  readonly look: string;
}

/** All lanes of one run, over its whole length. */
export function lanes(record: RunRecord): Markup {
  const drawn = [
    ...faultLanes(record),
    ...record.nodes.map((node) => lane(record, `node ${node.name}`, states(node))),
    ...record.breakers.map((breaker) => lane(record, `breaker ${breaker.name}`, states(breaker))),
    ...violationLane(record),
  ];
  if (drawn.length === 0) return html``;
  return html`<div class="lanes" role="group" aria-label="What was so when, over ${duration(record.durationMs)}">
    ${drawn}
  </div>`;
}

function faultLanes(record: RunRecord): Markup[] {
  const targets = [...new Set(record.faults.map(({ target }) => target))];
  return targets.map((target) => {
    const bars = record.faults
      .filter((fault) => fault.target === target)
      .map(({ fromMs, toMs, name, level, hits }) => ({
        fromMs,
        toMs,
        text: `${name} (${level}${hits > 0 ? `, ${several(hits, "hit")}` : ""})`,
        look: "fault",
      }));
    return lane(record, `faults: ${target}`, bars);
  });
}

function violationLane(record: RunRecord): Markup[] {
  const bars = record.violations.flatMap(({ kind, operations }) =>
    operations.map(({ fromMs, toMs, text }) => ({
      fromMs,
      toMs: toMs ?? record.durationMs,
      text: `${kind}: ${text}`,
      look: "violation",
    })),
  );
  return bars.length === 0 ? [] : [lane(record, "violations", bars.slice(0, MOST_BARS))];
}

/** Bars of one lane: more could not be told apart. */
const MOST_BARS = 200;

function states({ spans }: RunLane): Bar[] {
  return spans.map(({ fromMs, toMs, state, detail }) => ({
    fromMs,
    toMs,
    text: detail === undefined ? state : `${state}, ${detail}`,
    look: detail === undefined || detail === "running" ? state : detail,
  }));
}

function lane({ durationMs }: RunRecord, name: string, bars: readonly Bar[]): Markup {
  const whole = Math.max(1, durationMs);
  const drawn = bars.map(({ fromMs, toMs, text, look }) => {
    const left = clamp((fromMs / whole) * 100);
    const width = Math.max(0, clamp((toMs / whole) * 100) - left);
    const when = toMs - fromMs < 1 ? `at ${duration(fromMs)}` : `${duration(fromMs)} to ${duration(toMs)}`;
    return html`<li
      class="bar ${look}"
      tabindex="0"
      style="left:${left.toFixed(3)}%;width:${width.toFixed(3)}%"
      title="${text}, ${when}"
    >
      <span>${text}</span><span class="when">, ${when}</span>
    </li>`;
  });
  return html`<div class="lane">
    <span class="name">${name}</span>
    <ol aria-label="${name}">
      ${drawn}
    </ol>
  </div>`;
}

function clamp(percent: number): number {
  return Math.min(100, Math.max(0, percent));
}
