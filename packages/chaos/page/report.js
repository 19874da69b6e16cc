/* Draws the charts of a report, and chooses which runs stand side by side. Needs `uPlot`. */
(() => {
  "use strict";
  const runs = JSON.parse(document.getElementById("data").textContent);
  const sections = [...document.querySelectorAll(".run")];
  const charts = [...document.querySelectorAll(".chart")];
  const readout = document.getElementById("readout");
  const left = document.getElementById("left");
  const right = document.getElementById("right");
  const drawn = new Map();
  const percentiles = ["p50", "p95", "p99"];

  const missing = (value) => value === null || value === undefined;
  const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
  const colors = new Map();
  const color = (name) => {
    if (!colors.has(name)) colors.set(name, lookedUp(name));
    return colors.get(name);
  };
  const lookedUp = (name) => {
    const probe = document.createElement("i");
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };

  /** Calls per second, and percentiles of all kinds of calls: the worst kind of each moment. */
  function columns(kind, { samples, durationMs }) {
    const at = samples.map(({ atMs }) => atMs / 1000);
    if (kind === "throughput") {
      const perSecond = (name) =>
        samples.map((sample, index) => {
          const lengthMs = (samples[index + 1]?.atMs ?? durationMs) - sample.atMs;
          return lengthMs > 0 ? (sample[name] * 1000) / lengthMs : null;
        });
      return {
        unit: "calls/s",
        at,
        series: [
          ["answered", "ok", perSecond("ok")],
          ["failed", "failed", perSecond("failed")],
          ["unknown", "unknown", perSecond("unknown")],
        ],
      };
    }
    const looks = ["ok", "unknown", "failed"];
    return {
      unit: "ms",
      at,
      series: percentiles.map((name, index) => [
        name,
        looks[index],
        samples.map(({ latencies }) => {
          const all = Object.values(latencies).map((one) => one[name]);
          return all.length === 0 ? null : Math.max(0.01, ...all);
        }),
      ]),
    };
  }

  function bands({ faults }) {
    return (plot) => {
      const { ctx, bbox } = plot;
      ctx.save();
      ctx.fillStyle = color("band");
      ctx.strokeStyle = color("failed");
      for (const { fromMs, toMs } of faults) {
        const from = plot.valToPos(fromMs / 1000, "x", true);
        const to = Math.max(from + 1, plot.valToPos(toMs / 1000, "x", true));
        ctx.fillRect(from, bbox.top, to - from, bbox.height);
        ctx.fillRect(from, bbox.top, 1, bbox.height);
      }
      ctx.restore();
    };
  }

  function draw(element) {
    const run = runs[Number(element.dataset.run)];
    const { unit, at, series } = columns(element.dataset.chart, run);
    drawn.get(element)?.destroy();
    element.replaceChildren();
    const axis = { stroke: color("quiet"), grid: { stroke: color("line") }, ticks: { stroke: color("line") } };
    const plot = new uPlot(
      {
        width: Math.max(280, element.clientWidth),
        height: 210,
        title: "",
        cursor: { sync: { key: "runs" }, y: false },
        scales: {
          x: { time: false, range: [0, Math.max(0.1, run.durationMs / 1000)] },
          y: unit === "ms" ? { distr: 3 } : { range: (_plot, _low, high) => [0, Math.max(1, high * 1.1)] },
        },
        axes: [
          { ...axis, values: (_plot, values) => values.map((value) => `${value} s`) },
          { ...axis, size: 60, label: unit, labelSize: 18 },
        ],
        series: [
          { label: "at", value: (_plot, value) => (missing(value) ? "" : `${value.toFixed(1)} s`) },
          ...series.map(([label, look]) => ({
            label,
            stroke: color(look),
            width: 1.5,
            points: { show: at.length < 3 },
            value: (_plot, value) => (missing(value) ? "none" : `${value.toFixed(unit === "ms" ? 1 : 0)} ${unit}`),
          })),
        ],
        hooks: { drawClear: [bands(run)] },
      },
      [at, ...series.map(([, , values]) => values)],
      element,
    );
    drawn.set(element, plot);
  }

  function drawAll() {
    // Another theme has others.
    colors.clear();
    for (const element of charts) {
      if (element.closest(".run").hidden) continue;
      draw(element);
    }
  }

  /** Says what stands at one moment of a chart, and moves every cursor there. */
  function tell(element, step) {
    const plot = drawn.get(element);
    if (plot === undefined) return;
    const [at] = plot.data;
    const before = plot.cursor.idx ?? (step > 0 ? -1 : at.length);
    const index = Math.min(at.length - 1, Math.max(0, before + step));
    if (at.length === 0) return;
    plot.setCursor({ left: plot.valToPos(at[index], "x"), top: 10 });
    const figures = plot.series.slice(1).map(({ label }, place) => {
      const value = plot.data[place + 1][index];
      return `${label} ${missing(value) ? "none" : value.toFixed(1)}`;
    });
    const now = at[index] * 1000;
    const { faults } = runs[Number(element.dataset.run)];
    const on = faults
      .filter(({ fromMs, toMs }) => fromMs <= now && now <= toMs)
      .map(({ name, target }) => `${name} on ${target}`);
    readout.textContent = [seconds(now), ...figures, ...on].join(", ");
  }

  /** The same dice for somebody else, to be compared. */
  function beside(index) {
    const { scenario, seed, subject } = runs[index];
    const other = runs.findIndex((one) => one.scenario === scenario && one.seed === seed && one.subject !== subject);
    return other === -1 ? "" : String(other);
  }

  function choose() {
    const wanted = left === null ? [0] : [left.value, right.value].filter((value) => value !== "").map(Number);
    sections.forEach((section, index) => {
      section.hidden = !wanted.includes(index);
      section.style.order = String(wanted.indexOf(index));
    });
    drawAll();
  }

  for (const element of charts) {
    element.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[
        event.key
      ];
      if (step === undefined) return;
      event.preventDefault();
      tell(element, step);
    });
  }
  for (const link of document.querySelectorAll("a[data-run]")) {
    link.addEventListener("click", () => {
      left.value = link.dataset.run;
      right.value = beside(Number(left.value));
      choose();
    });
  }
  if (left !== null) {
    right.value = sections.length === 2 ? "1" : beside(0);
    left.addEventListener("change", choose);
    right.addEventListener("change", choose);
  }
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    drawAll();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    drawAll();
  });
  choose();
})();
