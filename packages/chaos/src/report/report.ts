/**
 * One self-contained HTML file for some runs: no network, no further files. It can be read without its script, which only draws the
 * charts and chooses the runs that stand side by side.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { refusal } from "../check.ts";
import type { RunRecord } from "../run/record.ts";
import { count, duration, several } from "./format.ts";
import { lanes } from "./lanes.ts";
import { html, Markup, scriptData } from "./markup.ts";
import { furtherTables, summaryTable, violationList } from "./tables.ts";

/** Violations of all runs together that are shown with their operations, and fewest of each run: a browser has to hold the page. */
const MOST_SHOWN = 1_000;
const LEAST_SHOWN = 5;

/**
 * Writes the report of some runs to `file`; `records` are what `runScenario` returns. Two runs stand side by side; of more,
 * two can be chosen.
 *
 * @throws RangeError when there is no run.
 */
export async function writeReport(records: readonly RunRecord[], file: string): Promise<void> {
  await writeFile(file, await reportHtml(records));
}

/** The text of that file, of these `records`. @throws RangeError when there is no run. */
export async function reportHtml(records: readonly RunRecord[]): Promise<string> {
  if (!Array.isArray(records) || records.length === 0) throw refusal("records", records, "at least one run");
  const require = createRequire(import.meta.url);
  const [chart, chartStyle, script, style] = await Promise.all([
    readFile(require.resolve("uplot/dist/uPlot.iife.min.js"), "utf8"),
    readFile(require.resolve("uplot/dist/uPlot.min.css"), "utf8"),
    readFile(new URL("../../page/report.js", import.meta.url), "utf8"),
    readFile(new URL("../../page/report.css", import.meta.url), "utf8"),
  ]);
  const code = `${chart}\n${script}`;
  const most = Math.max(LEAST_SHOWN, Math.floor(MOST_SHOWN / records.length));
  // The file may do what it does, and nothing else, wherever it is opened.
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${sha256(code)}'; base-uri 'none'; form-action 'none'`;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title(records)}</title>
        <style>
          ${new Markup(chartStyle)}${new Markup(style)}
        </style>
      </head>
      <body>
        <header>
          <h1>${title(records)}</h1>
          <button type="button" id="theme">Dark or light</button>
        </header>
        <main>
          ${overview(records)}${choice(records)}
          <div id="runs">${records.map((record, index) => run(record, index, most))}</div>
          <p id="readout" role="status" aria-live="polite"></p>
        </main>
        <script type="application/json" id="data">
          ${scriptData(records.map(plotted))}
        </script>
        ${scriptElement(code)}
      </body>
    </html>`;
  return page.text;
}

/** In one piece: the policy knows the text by its hash, and a space more would be another text. */
function scriptElement(code: string): Markup {
  return new Markup(`<script>${code}</script>`);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}

function title(records: readonly RunRecord[]): string {
  const scenarios = [...new Set(records.map(({ scenario }) => scenario))];
  const [first = ""] = scenarios;
  return scenarios.length === 1 ? `Chaos: ${first}` : `Chaos: ${several(scenarios.length, "scenario")}`;
}

/** One line for each run, when there are more than fit side by side. */
function overview(records: readonly RunRecord[]): Markup | undefined {
  if (records.length < 3) return undefined;
  const rows = records.map(
    (record, index) =>
      html`<tr>
        <th scope="row"><a href="#run-${index}" data-run="${index}">${nameOf(record)}</a></th>
        <td class="${record.verdict}">${record.verdict}</td>
        <td class="number">${count(record.totals.ok)}</td>
        <td class="number">${count(record.totals.failed)}</td>
        <td class="number">${count(record.totals.unknown)}</td>
        <td>${Object.keys(record.violationCounts).join(", ")}</td>
      </tr>`,
  );
  return html`<details open>
    <summary>${several(records.length, "run")}</summary>
    <div class="scroll" tabindex="0" role="group" aria-label="Runs">
      <table>
        <caption>
          Runs
        </caption>
        <thead>
          <tr>
            <th scope="col">run</th>
            <th scope="col">verdict</th>
            <th scope="col">answered</th>
            <th scope="col">failed</th>
            <th scope="col">unknown</th>
            <th scope="col">violations</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </details>`;
}

function choice(records: readonly RunRecord[]): Markup | undefined {
  if (records.length < 2) return undefined;
  const options = records.map((record, index) => html`<option value="${index}">${nameOf(record)}</option>`);
  return html`<form id="choice">
      <label
        >Left
        <select id="left">
          ${options}
        </select></label
      ><label
        >Right
        <select id="right">
          <option value="">none</option>
          ${options}
        </select></label
      >
    </form>
    <div id="comparison">${records.length === 2 ? summaryTable(records) : undefined}</div>`;
}

function nameOf({ scenario, subject, seed }: RunRecord): string {
  return `${scenario}, ${subject}, seed ${seed}`;
}

function run(record: RunRecord, index: number, most: number): Markup {
  const { scenario, subject, seed, verdict, problem, description, totals } = record;
  const figures = `${several(totals.calls, "call")} in ${duration(record.durationMs)}, ${count(totals.failed)} failed`;
  const charts = [
    ["throughput", `Throughput of ${subject}: answered, failed and unknown calls per second. ${figures}.`],
    ["latency", `Latency of ${subject}: percentiles over time. ${latencyText(record)}`],
  ].map(
    ([kind, label]) =>
      html`<div
        class="chart"
        data-chart="${kind}"
        data-run="${index}"
        role="img"
        tabindex="0"
        aria-label="${label}"
      ></div>`,
  );
  return html`<section class="run" id="run-${index}" aria-label="${nameOf(record)}">
    <h2>${subject} <span class="verdict ${verdict}">${verdict}</span></h2>
    <p>${description}</p>
    <p>${figures}. Seed ${seed}, begun ${record.startedAt}.</p>
    ${problem === null ? undefined : html`<p class="problem">${problem}</p>`}
    <div class="time">${charts}${lanes(record)}</div>
    <h3>Violations</h3>
    ${violationList(record, most)}
    <h3>Figures</h3>
    ${summaryTable([record])}${furtherTables(record)}
    <p class="again">The same dice: <code>breakwater chaos replay ${seed} ${scenario}</code></p>
  </section>`;
}

function latencyText({ latencies }: RunRecord): string {
  const texts = Object.entries(latencies).map(
    ([kind, { p50, p99 }]) => `${kind}: half within ${duration(p50)}, 99 % within ${duration(p99)}`,
  );
  return texts.length === 0 ? "" : `${texts.join("; ")}.`;
}

/** What the script needs of a run. */
function plotted({ scenario, seed, subject, durationMs, samples, faults }: RunRecord): object {
  return {
    scenario,
    seed,
    subject,
    durationMs,
    samples,
    faults: faults.map(({ name, target, fromMs, toMs }) => ({ name, target, fromMs, toMs })),
  };
}
