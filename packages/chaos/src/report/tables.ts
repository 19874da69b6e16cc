/** What a run found, as tables: every violation with its operations, errors, steps, events. */
import type { CallAccess, Latencies, RunRecord, RunViolation } from "../run/record.ts";
import { count, duration, several } from "./format.ts";
import { html, type Markup } from "./markup.ts";

/** Figures of some runs, a column each, for comparison. */
export function summaryTable(records: readonly RunRecord[]): Markup {
  const rows: [string, (record: RunRecord) => string][] = [
    ["verdict", ({ verdict }) => verdict],
    ["calls", ({ totals }) => count(totals.calls)],
    ["answered", ({ totals }) => count(totals.ok)],
    ["failed", ({ totals }) => count(totals.failed)],
    ["outcome unknown, and said so", ({ totals }) => count(totals.unknown)],
    ["never answered", ({ totals }) => count(totals.pending)],
    ["longest time without an answer", (record) => duration(longestSilence(record))],
    ["connections left", ({ connectionsLeft: left }) => (left === null ? "not counted" : count(left))],
    ...latencyRows(records),
    ...violationRows(records),
  ];
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Figures">
    <table>
      <caption>
        Figures
      </caption>
      <thead>
        <tr>
          <th scope="col">figure</th>
          ${records.map((record) => html`<th scope="col">${record.subject}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([name, of]) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${records.map((record) => html`<td class="number">${of(record)}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function latencyRows(records: readonly RunRecord[]): [string, (record: RunRecord) => string][] {
  const kinds = (["read", "write", "transaction"] as const).filter((kind) =>
    records.some(({ latencies }) => latencies[kind] !== undefined),
  );
  const figures = ["p50", "p95", "p99", "max"] as const;
  return kinds.flatMap((kind) =>
    figures.map((figure): [string, (record: RunRecord) => string] => [
      `${kind} ${figure}`,
      (record) => latency(record, kind, figure),
    ]),
  );
}

function latency({ latencies }: RunRecord, kind: CallAccess, figure: Exclude<keyof Latencies, "count">): string {
  const found = latencies[kind];
  return found === undefined ? "none" : duration(found[figure]);
}

function violationRows(records: readonly RunRecord[]): [string, (record: RunRecord) => string][] {
  const kinds = [...new Set(records.flatMap(({ violationCounts }) => Object.keys(violationCounts)))];
  return kinds.map((kind) => [`violations: ${kind}`, ({ violationCounts }) => count(violationCounts[kind] ?? 0)]);
}

/** The longest stretch of samples, from the first answer on, in which nothing was answered well. */
function longestSilence({ samples, durationMs }: RunRecord): number {
  let last = samples.find(({ ok }) => ok > 0)?.atMs ?? 0;
  let longest = 0;
  for (const [index, { ok }] of samples.entries()) {
    const end = samples[index + 1]?.atMs ?? durationMs;
    if (ok > 0) last = end;
    else longest = Math.max(longest, end - last);
  }
  return longest;
}

/** Every violation of a run, with the operations that show it. */
export function violationList(record: RunRecord, most: number): Markup {
  const { violationCounts } = record;
  const violations = record.violations.slice(0, most);
  if (violations.length === 0) return html`<p>No violation was found.</p>`;
  const all = Object.values(violationCounts).reduce((sum, one) => sum + one, 0);
  const more = all - violations.length;
  const rest =
    more > 0 ? html`<p>${several(more, "further violation was", "further violations were")} counted.</p>` : undefined;
  return html`<div class="violations">${violations.map((one, index) => violation(one, index === 0))}</div>
    ${rest}`;
}

function violation({ kind, message, operations }: RunViolation, open: boolean): Markup {
  const rows = operations.map(
    ({ index, session, text, outcome, fromMs, toMs, error }) =>
      html`<tr>
        <td class="number">${index}</td>
        <td>${session}</td>
        <td>${text}</td>
        <td>${outcome}</td>
        <td class="number">${duration(fromMs)}</td>
        <td class="number">${toMs === undefined ? "" : duration(toMs)}</td>
        <td>${error}</td>
      </tr>`,
  );
  const table =
    rows.length === 0
      ? undefined
      : html`<div class="scroll" tabindex="0" role="group" aria-label="Operations">
          <table>
            <caption>
              Operations
            </caption>
            <thead>
              ${head(["#", "session", "operation", "outcome", "from", "to", "error"])}
            </thead>
            <tbody>
              ${rows}
            </tbody>
          </table>
        </div>`;
  return html`<details${open ? " open" : ""}><summary><strong>${kind}</strong> ${message}</summary>${table}</details>`;
}

/** Errors, steps and events of a run. */
export function furtherTables(record: RunRecord): Markup {
  const { errors, steps, events, faults } = record;
  return html`${folded(
    "Faults",
    ["fault", "level", "target", "from", "to", "hits"],
    faults.map(({ name, level, target, fromMs, toMs, hits }) => [
      name,
      level,
      target,
      duration(fromMs),
      duration(toMs),
      count(hits),
    ]),
  )}${folded(
    "Steps",
    ["step", "what", "status", "from", "to", "error"],
    steps.map(({ path, text, status, fromMs, toMs, error = "" }) => [
      path,
      text,
      status,
      duration(fromMs),
      duration(toMs),
      error,
    ]),
  )}${folded(
    "Errors by code",
    ["code", "times", "the first of them"],
    errors.map(({ code, count: times, example }) => [code, count(times), example]),
  )}${folded(
    "Events",
    ["at", "event", "what"],
    events.map(({ atMs, name, text }) => [duration(atMs), name, text]),
  )}`;
}

function folded(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): Markup {
  if (rows.length === 0) return html``;
  return html`<details>
    <summary>${title} (${count(rows.length)})</summary>
    <div class="scroll" tabindex="0" role="group" aria-label="${title}">
      <table>
        <caption>
          ${title}
        </caption>
        <thead>
          ${head(columns)}
        </thead>
        <tbody>
          ${rows.map(
            (row) =>
              html`<tr>
                ${row.map((cell) => html`<td>${cell}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

function head(columns: readonly string[]): Markup {
  return html`<tr>
    ${columns.map((column) => html`<th scope="col">${column}</th>`)}
  </tr>`;
}
