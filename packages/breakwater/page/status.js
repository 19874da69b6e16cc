/* Asks for status.json again and again, and shows what it says. Texts go into the page as texts only. */
(() => {
  "use strict";
  /** Time between two questions, and longest pause while there is no answer, in milliseconds. */
  const EVERY_MS = 1000;
  const MAX_PAUSE_MS = 5000;
  /** Longest wait for an answer. */
  const ANSWER_MS = 8000;
  /** Moments that a line shows: a minute. */
  const MOMENTS = 60;
  const SVG = "http://www.w3.org/2000/svg";

  const base = location.pathname.endsWith("/") ? location.pathname : `${location.pathname}/`;
  const byId = (id) => document.getElementById(id);
  const [live, problem, main, said] = ["live", "problem", "databases", "said"].map(byId);
  const state = { token: "", paused: false, failures: 0, timer: 0, asking: false, answeredAt: 0, actions: false };
  const sections = new Map();
  const memory = new Map();

  // Elements

  const el = (name, looks, ...children) => {
    const made = document.createElement(name);
    if (looks) made.className = looks;
    made.append(...children);
    return made;
  };
  const put = (node, text) => {
    if (node.textContent !== text) node.textContent = text;
  };
  const look = (node, looks) => {
    if (node.getAttribute("class") !== looks) node.setAttribute("class", looks);
  };
  /** Makes the children of `parent` those of `keys`, in their order; those that stay are the same elements. */
  const keyed = (parent, parts, keys, make) => {
    for (const [key, part] of parts) {
      if (keys.includes(key)) continue;
      part.root.remove();
      parts.delete(key);
    }
    let before = null;
    for (const key of keys) {
      if (!parts.has(key)) parts.set(key, make(key));
      const { root } = parts.get(key);
      const there = before === null ? parent.firstChild : before.nextSibling;
      if (there !== root) parent.insertBefore(root, there);
      before = root;
    }
  };

  // Figures

  const number = (value, digits = 1) =>
    value.toLocaleString("en-US", { maximumFractionDigits: value >= 100 ? 0 : digits });
  const duration = (ms) => {
    if (ms < 1) return `${number(ms, 2)} ms`;
    if (ms < 1000) return `${number(ms)} ms`;
    return ms < 120000 ? `${number(ms / 1000)} s` : `${number(ms / 60000)} min`;
  };
  const bytes = (count) => {
    if (count < 1024) return `${count} B`;
    return count < 1048576 ? `${number(count / 1024)} kB` : `${number(count / 1048576)} MB`;
  };
  const clockTime = (text) => new Date(text).toLocaleTimeString("en-GB");

  /** The last values of a figure, for its line. */
  const remember = (key, value) => {
    const values = memory.get(key) ?? [];
    values.push(value);
    if (values.length > MOMENTS) values.shift();
    memory.set(key, values);
    return values;
  };

  const spark = () => {
    const root = document.createElementNS(SVG, "svg");
    root.setAttribute("viewBox", `0 0 ${MOMENTS - 1} 30`);
    root.setAttribute("preserveAspectRatio", "none");
    root.setAttribute("role", "img");
    root.setAttribute("class", "spark");
    const [area, line] = [document.createElementNS(SVG, "path"), document.createElementNS(SVG, "path")];
    area.setAttribute("class", "area");
    root.append(area, line);
    return { root, area, line };
  };
  const draw = ({ root, area, line }, values, what, shown, looks = "spark") => {
    const most = Math.max(...values, 1e-9);
    // The present is at the right, also while there is little of the past.
    const points = values.map((value, index) => [MOMENTS - values.length + index, 29 - (value / most) * 27]);
    const [first] = points;
    const path = points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
    line.setAttribute("d", points.length > 1 ? `M${path}` : "");
    area.setAttribute("d", points.length > 1 ? `M${first[0]} 30L${path}L${MOMENTS - 1} 30Z` : "");
    root.setAttribute(
      "aria-label",
      `${what}: ${shown(values.at(-1))} now, ${shown(Math.max(...values))} at most within a minute`,
    );
    look(root, looks);
  };

  const bar = () => {
    const [active, idle] = [el("i", "active"), el("i", "idle")];
    const root = el("div", "bar", active, idle);
    root.setAttribute("role", "img");
    return { root, active, idle };
  };
  const fill = ({ root, active, idle }, pool) => {
    const share = (count) => `${pool.max > 0 ? Math.min(100, (count / pool.max) * 100) : 0}%`;
    active.style.width = share(pool.active);
    idle.style.width = share(Math.max(0, Math.min(pool.idle, pool.max - pool.active)));
    look(root, pool.waiting > 0 ? "bar full" : "bar");
    root.setAttribute(
      "aria-label",
      `${pool.active} of ${pool.max} connections in use, ${pool.idle} idle, ${pool.waiting} calls wait`,
    );
  };

  // One database

  const figure = (title, shows) => {
    const heading = el("h3", "");
    heading.textContent = title;
    const [value, unit, more] = [el("span", ""), el("span", "unit"), el("p", "more")];
    const root = el("div", "figure", heading, el("p", "value", value, unit), more, shows.root);
    return { root, value, unit, more, shows };
  };

  const makeSection = (name) => {
    const heading = el("h2", "");
    heading.textContent = name;
    heading.id = `database-${sections.size}`;
    const badge = el("span", "badge");
    const title = (text) => {
      const made = el("h3", "");
      made.textContent = text;
      return made;
    };
    const parts = {
      badge,
      calls: figure("Calls", spark()),
      failed: figure("Failed", spark()),
      latency: figure("Latency", spark()),
      connections: figure("Connections", bar()),
      stack: el("ol", "stack"),
      stackText: "",
      nodes: el("ul", "nodes"),
      nodeParts: new Map(),
      events: el("ol", "events"),
      lastEvent: undefined,
      policies: el("div", "policies"),
      policyText: "",
      limits: el("div", "limits"),
      limitParts: new Map(),
    };
    parts.stack.setAttribute("aria-label", "Policies from the outside in");
    parts.nodes.setAttribute("aria-label", "Nodes");
    parts.events.setAttribute("aria-label", "Last events, newest first");
    parts.events.tabIndex = 0;
    const { calls, failed, latency, connections } = parts;
    const counters = el("details", "", el("summary", "", "Policies and their counters"), parts.policies);
    parts.change = el("details", "", el("summary", "", "Change limits"), parts.limits);
    parts.change.hidden = true;
    const root = el(
      "section",
      "database",
      el("div", "head", heading, badge),
      el("div", "figures", calls.root, failed.root, latency.root, connections.root),
      title("Stack and nodes"),
      parts.stack,
      parts.nodes,
      title("Last events"),
      parts.events,
      counters,
      parts.change,
    );
    root.setAttribute("aria-labelledby", heading.id);
    return { ...parts, root };
  };

  const STANDING = { ok: "good", degraded: "warn", down: "bad", unknown: "" };

  const showFigures = (part, { name, recent, pool, total, waitingForNode }) => {
    const { calls, failed, latency, connections } = part;
    const perSecond = (value) => `${number(value)} per second`;
    put(calls.value, number(recent.callsPerSecond));
    put(calls.unit, "per s");
    put(calls.more, `${number(total.calls)} in all`);
    draw(calls.shows, remember(`${name} calls`, recent.callsPerSecond), "Calls", perSecond);
    const share = recent.calls > 0 ? (recent.failed / recent.calls) * 100 : 0;
    put(failed.value, number(share));
    put(failed.unit, "%");
    put(failed.more, `${number(recent.failed)} in ${duration(recent.ms)}, ${number(total.failed)} in all`);
    draw(
      failed.shows,
      remember(`${name} failed`, share),
      "Failed",
      (value) => `${number(value)} %`,
      share > 0 ? "spark bad" : "spark",
    );
    const { p50, p95, p99 } = recent.latency;
    put(latency.value, number(p95, 2));
    put(latency.unit, "ms p95");
    put(latency.more, `p50 ${duration(p50)}, p99 ${duration(p99)}`);
    draw(latency.shows, remember(`${name} p95`, p95), "95 % of the calls took no longer than", duration);
    put(connections.value, String(pool.active));
    put(connections.unit, `of ${pool.max} in use`);
    const node = waitingForNode > 0 ? `, ${number(waitingForNode)} wait for a node` : "";
    put(connections.more, `${pool.idle} idle, ${pool.waiting} waiting${node}`);
    fill(connections.shows, pool);
  };

  const makeNode = (database) => (name) => {
    const heading = el("h4", "name");
    heading.textContent = name;
    const button = () => {
      const made = el("button", "");
      made.type = "button";
      return made;
    };
    const part = {
      badges: el("div", "badges"),
      badgeText: "",
      standing: el("p", "more"),
      bar: bar(),
      use: el("p", "more"),
      spark: spark(),
      rate: el("span", ""),
      times: el("span", ""),
      isolate: button(),
      drain: button(),
    };
    part.actions = el("div", "do", part.isolate, part.drain);
    const box = el(
      "div",
      "box",
      el("div", "", heading, part.badges, part.standing),
      el("div", "", part.bar.root, part.use),
      el("div", "", part.spark.root, el("p", "more speed", part.rate, part.times)),
      part.actions,
    );
    part.root = el("li", "node", box);
    part.isolate.addEventListener("click", () => {
      const isIsolated = part.node.breaker === "isolated";
      const done = isIsolated ? `${name} is back in service` : `${name} is isolated`;
      void act({ database, control: part.breaker, action: isIsolated ? "reset" : "isolate" }, done);
    });
    part.drain.addEventListener("click", () => {
      const isDrained = part.node.drained;
      const done = isDrained ? `${name} gets calls again` : `${name} gets no new calls`;
      void act({ database, control: "router", action: isDrained ? "resume" : "drain", values: [name] }, done);
    });
    return part;
  };

  const badgesOf = ({ role, state: standing, breaker, drained, ejected, lagging, fenced, starting }) => [
    ...(role === "unknown" ? [] : [[role, role]]),
    [standing, standing === "up" ? "good" : standing === "down" ? "bad" : ""],
    ...(breaker === null ? [] : [[`breaker ${breaker}`, { closed: "good", open: "bad" }[breaker] ?? "warn"]]),
    ...(drained ? [["drained", "warn"]] : []),
    ...(ejected ? [["ejected", "warn"]] : []),
    ...(lagging ? [["lagging", "warn"]] : []),
    ...(fenced ? [["fenced", "bad"]] : []),
    ...(starting ? [["starting", "warn"]] : []),
  ];

  const showNode = (part, node, database) => {
    const badges = badgesOf(node);
    const text = JSON.stringify(badges);
    if (part.badgeText !== text) {
      part.badgeText = text;
      part.badges.replaceChildren(...badges.map(([word, looks]) => el("span", `badge ${looks}`, word)));
    }
    const worst = ["bad", "warn", "good"].find((each) => badges.some(([, looks]) => looks === each)) ?? "";
    look(part.root, `node ${worst}`);
    const { lag, weight, pool, recent, role } = node;
    const behind =
      lag === null
        ? ""
        : lag.ms === 0 && lag.bytes === 0
          ? "no lag"
          : `${duration(lag.ms)}, ${bytes(lag.bytes)} behind`;
    const share = weight === null || weight === 1 ? "" : `weight ${number(weight)}`;
    put(part.standing, [role === "primary" ? "" : behind, share].filter((each) => each !== "").join(", "));
    fill(part.bar, pool);
    const opening = pool.connecting > 0 ? `, ${pool.connecting} opening` : "";
    put(
      part.use,
      `${pool.active} active, ${pool.idle} idle of ${pool.max}${opening}${pool.waiting > 0 ? `, ${pool.waiting} waiting` : ""}`,
    );
    const { p50, p95, p99 } = recent.latency;
    draw(part.spark, remember(`${database.name} ${node.name} p95`, p95), `Latency of ${node.name}, p95`, duration);
    const short = (ms) => number(ms, ms < 10 ? 1 : 0);
    put(part.rate, recent.calls === 0 ? "no calls lately" : `${number(recent.callsPerSecond)} per s`);
    put(part.times, recent.calls === 0 ? "" : `p50 ${short(p50)}, p95 ${short(p95)}, p99 ${short(p99)} ms`);
    const names = new Set(database.controls.map((control) => control.name));
    part.node = node;
    part.breaker = [`${node.name}/circuit-breaker`, "circuit-breaker"].find((each) => names.has(each));
    part.actions.hidden = !unlocked();
    part.isolate.hidden = part.breaker === undefined;
    part.drain.hidden = !names.has("router");
    put(part.isolate, node.breaker === "isolated" ? "Put back" : "Isolate");
    put(part.drain, node.drained ? "Resume" : "Drain");
    part.isolate.setAttribute("aria-label", `${part.isolate.textContent} ${node.name}`);
    part.drain.setAttribute("aria-label", `${part.drain.textContent} ${node.name}`);
  };

  const showEvents = (part, events) => {
    const newest = events.at(-1)?.id ?? 0;
    if (part.lastEvent === newest) return;
    part.lastEvent = newest;
    const rows = events.toReversed().map(({ time, level, name, text, times }) => {
      const at = el("time", "");
      at.dateTime = time;
      at.title = time;
      at.textContent = clockTime(time);
      return el(
        "li",
        level,
        at,
        el("b", "", times > 1 ? `${name} × ${number(times)}` : name),
        el("span", "text", text),
      );
    });
    part.events.replaceChildren(
      ...(rows.length > 0 ? rows : [el("li", "none", "Nothing has happened since this was switched on.")]),
    );
  };

  const showPolicies = (part, { policies, nodes }) => {
    if (!part.policies.parentElement.open && part.policyText !== "") return;
    const all = [
      ...policies.map((each) => [each.policy, each.counters]),
      ...nodes.flatMap((node) => node.policies.map((each) => [`${node.name} ${each.policy}`, each.counters])),
    ];
    const text = JSON.stringify(all);
    if (part.policyText === text) return;
    part.policyText = text;
    part.policies.replaceChildren(
      ...all.map(([title, counters]) => {
        const list = el("dl", "");
        for (const [name, value] of Object.entries(counters)) {
          const shown = typeof value === "number" ? number(value, 3) : String(value);
          list.append(el("dt", "", name), el("dd", "", shown));
        }
        return el("div", "", el("h4", "", title), list);
      }),
    );
  };

  /** Those that a number can be said for; what a person is typing is left alone. */
  const showLimits = (part, { name: database, controls }) => {
    part.change.hidden = !unlocked();
    const shown = controls.filter(({ options }) => Object.values(options).some((value) => typeof value === "number"));
    keyed(
      part.limits,
      part.limitParts,
      shown.map((control) => control.name),
      (name) => {
        const fields = el("div", "");
        const button = el("button", "", "Change");
        button.type = "submit";
        button.setAttribute("aria-label", `Change ${name}`);
        const root = el("form", "", el("h4", "", name), fields, button);
        const made = { root, fields, inputs: new Map() };
        root.addEventListener("submit", (event) => {
          event.preventDefault();
          const changed = [...made.inputs].filter(([, { input, value }]) => Number(input.value) !== value);
          if (changed.length === 0) return;
          const configure = Object.fromEntries(changed.map(([option, { input }]) => [option, Number(input.value)]));
          const asked = act({ database, control: name, configure }, `${name} has been changed`);
          void asked.then((isDone) => {
            if (isDone) for (const [, field] of changed) field.value = Number(field.input.value);
          });
        });
        return made;
      },
    );
    for (const { name, options } of shown) {
      const made = part.limitParts.get(name);
      for (const [option, value] of Object.entries(options)) {
        if (typeof value !== "number") continue;
        if (!made.inputs.has(option)) {
          const input = el("input", "");
          input.type = "number";
          input.step = "any";
          input.value = String(value);
          made.inputs.set(option, { input, value });
          made.fields.append(el("label", "", el("span", "", option), input));
        }
        const field = made.inputs.get(option);
        // Somebody else may have changed it; what is typed here and not sent yet stays.
        if (Number(field.input.value) === field.value && field.value !== value) field.input.value = String(value);
        field.value = value;
      }
    }
  };

  const showDatabase = (database) => {
    const part = sections.get(database.name);
    const { status, stack, nodes } = database;
    put(part.badge, status);
    look(part.badge, `badge ${STANDING[status] ?? ""}`);
    showFigures(part, database);
    const stackText = stack.join(" ");
    if (part.stackText !== stackText) {
      part.stackText = stackText;
      part.stack.replaceChildren(...stack.map((policy) => el("li", "", el("span", "", policy))));
    }
    keyed(
      part.nodes,
      part.nodeParts,
      nodes.map((node) => node.name),
      makeNode(database.name),
    );
    for (const node of nodes) showNode(part.nodeParts.get(node.name), node, database);
    showEvents(part, database.events);
    showPolicies(part, database);
    showLimits(part, database);
  };

  // What is said to those who listen: only what changes how things stand.

  let standing = new Map();
  const announce = (databases) => {
    const now = new Map();
    for (const { name: database, nodes } of databases)
      for (const { name, role, state: up, breaker, drained } of nodes)
        now.set(
          `${database} ${name}`,
          `${name}: ${role}, ${up}${breaker === null ? "" : `, breaker ${breaker}`}${drained ? ", drained" : ""}`,
        );
    const changed = [...now].filter(([key, text]) => standing.has(key) && standing.get(key) !== text);
    standing = now;
    if (changed.length > 0) put(said, changed.map(([, text]) => text).join(". "));
  };

  const show = (report) => {
    state.actions = report.actions;
    const names = report.databases.map((each) => each.name);
    keyed(main, sections, names, makeSection);
    for (const database of report.databases) showDatabase(database);
    announce(report.databases);
    showLock();
    const worst = ["down", "degraded"].find((word) => report.databases.some((each) => each.status === word));
    document.title = `${worst === undefined ? "" : `${worst}: `}${names.join(", ")} - Breakwater`;
    put(byId("about"), `watched for ${duration(report.uptimeMs)}`);
  };

  // Asking

  const unlocked = () => state.actions && state.token !== "";
  const showLock = () => {
    byId("unlock").hidden = state.token !== "" || !state.actions;
    byId("lock").hidden = state.token === "";
    document.body.classList.toggle("unlocked", unlocked());
  };
  const headers = () => (state.token === "" ? {} : { authorization: `Bearer ${state.token}` });
  const tell = (text) => {
    problem.hidden = text === "";
    put(problem, text);
  };
  const liveness = (name, text) => {
    live.dataset.live = name;
    put(byId("live-text"), text);
    document.body.classList.toggle("lost", name === "lost");
  };

  const showPaused = () =>
    liveness("paused", state.answeredAt === 0 ? "paused" : `paused, ${clockTime(state.answeredAt)}`);

  const asked = async (path, options = {}) =>
    fetch(base + path, {
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_MS),
      ...options,
      headers: { ...headers(), ...options.headers },
    });

  const ask = async () => {
    clearTimeout(state.timer);
    if (state.asking) return;
    state.asking = true;
    try {
      const answer = await asked("status.json");
      if (answer.status === 401) {
        const wasWrong = state.token !== "";
        lock();
        state.actions = true;
        showLock();
        liveness("", "locked");
        tell(wasWrong ? "The token is wrong." : "A token is needed to read this.");
        return;
      }
      const report = await answer.json();
      if (!answer.ok) throw new Error(report.error);
      if (state.failures > 0) tell("");
      state.failures = 0;
      state.answeredAt = Date.now();
      show(report);
      if (state.paused) showPaused();
      else liveness("live", `live, ${clockTime(report.time)}`);
    } catch (error) {
      state.failures += 1;
      const since = state.answeredAt === 0 ? "" : ` since ${clockTime(state.answeredAt)}`;
      liveness("lost", "no answer");
      if (state.failures > 1) tell(`No answer${since}; trying again. (${error.message})`);
    } finally {
      state.asking = false;
      next();
    }
  };
  const next = () => {
    clearTimeout(state.timer);
    if (state.paused || document.hidden || live.dataset.live === "") return;
    state.timer = setTimeout(() => void ask(), Math.min(MAX_PAUSE_MS, EVERY_MS * 2 ** Math.min(4, state.failures)));
  };

  /** Does something, and shows what came of it. True when it was done. */
  const act = async (body, done) => {
    try {
      const answer = await asked("actions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const { error } = await answer.json();
      if (answer.status === 401) lock();
      tell(answer.ok ? "" : `Not done: ${error}`);
      if (answer.ok) put(said, done);
      return answer.ok;
    } catch (error) {
      tell(`Not done: ${error.message}`);
      return false;
    } finally {
      void ask();
    }
  };

  const lock = () => {
    state.token = "";
    showLock();
  };
  byId("unlock").addEventListener("submit", (event) => {
    event.preventDefault();
    const input = byId("token");
    // Kept here and nowhere else: it is gone when the page is.
    state.token = input.value.trim();
    input.value = "";
    tell("");
    showLock();
    byId("lock").focus();
    void ask();
  });
  byId("lock").addEventListener("click", () => {
    lock();
    byId("token").focus();
    void ask();
  });
  byId("pause").addEventListener("click", (event) => {
    state.paused = !state.paused;
    event.currentTarget.setAttribute("aria-pressed", String(state.paused));
    if (state.paused) {
      clearTimeout(state.timer);
      showPaused();
    } else void ask();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(state.timer);
    else if (!state.paused) void ask();
  });
  byId("raw").href = `${base}status.json`;
  void ask();
})();
