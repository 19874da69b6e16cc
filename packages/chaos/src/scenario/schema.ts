/** What a scenario may hold. */
import { reservedSettings } from "../cluster/conf.ts";
import { isSettingName } from "../cluster/options.ts";
import { lockModes } from "../faults/sessions.ts";
import type { ViolationKind } from "../history/violation.ts";
import { directionsOf, messageNames } from "../proxy/names.ts";
import { noticeSeverities } from "../proxy/strike.ts";
import { durationShape, limitShape, shortShape, wholeMsShape } from "./duration.ts";
import {
  isMapping,
  choice,
  either,
  list,
  mapping,
  number,
  record,
  type Shape,
  text,
  where,
  whole,
  word,
} from "./shape.ts";
import { plainConditions, type StepActions, workloadCalls } from "./model.ts";

const isSetting = (name: string): boolean => isSettingName(name) && !reservedSettings.includes(name.toLowerCase());
const isText = (value: unknown): boolean => typeof value === "string";

const target = where(
  "a node: primary, old-primary, replica, replicas, all, or a name such as n2",
  (value) => typeof value === "string" && /^(primary|old-primary|replica|replicas|all|n[1-9])$/.test(value),
);
const label = where("a name of letters, digits and -", (value) => typeof value === "string" && /^[\w-]+$/.test(value));
/** What a fault is called: `end: all` means all of them. */
const faultName = where(
  'a name of letters, digits and -, but "all"',
  (value) => typeof value === "string" && /^[\w-]+$/.test(value) && value !== "all",
);
const sqlstate = where(
  "five characters from 0-9 and A-Z, in quotes",
  (value) => typeof value === "string" && /^[0-9A-Z]{5}$/.test(value),
);
const pattern = where(
  "a pattern (a regular expression)",
  (value) => value instanceof RegExp || (typeof value === "string" && value !== "" && isPattern(value)),
);
const isLine = (value: unknown): boolean => typeof value === "string" && !/[\0\r\n]/.test(value);
const line = where("a text of one line, in quotes", isLine);
const message = where("a text of one line", (value) => isLine(value) && String(value).trim() !== "");
const direction = word(["toServer", "toClient"]);
const share = number(0, 1);
const flag = where("true or false", (value) => typeof value === "boolean");
const count = whole(1, 1_000_000);

const place = { on: target, for: durationShape, as: faultName };
const statements = { "to!": pattern, every: count, times: count, probability: share };

/** A fault by its options, or by its node alone. */
function fault(what: string, keys: Readonly<Record<string, Shape>> = {}): Shape {
  return either([isText, target], [() => true, mapping(what, { ...keys, ...place })]);
}

/** A fault that needs more said than its node. */
function faultWith(what: string, keys: Readonly<Record<string, Shape>>): Shape {
  return mapping(what, { ...keys, ...place });
}

const conditionKeys = {
  is: word(plainConditions),
  acknowledged: count,
  written: count,
  failed: count,
  fault: label,
  hits: count,
  breaker: word(["closed", "open", "half-open"]),
  sql: text,
  on: target,
  within: limitShape,
  optional: flag,
};
const kinds = ["is", "acknowledged", "written", "failed", "fault", "breaker", "sql"];
const conditionMapping = mapping("a condition", conditionKeys);

/** What may be awaited. */
const condition: Shape = either(
  [isText, word(plainConditions)],
  [
    () => true,
    {
      expected: `a mapping with one of ${kinds.join(", ")}`,
      check(value, path, report) {
        conditionMapping.check(value, path, report);
        if (!isMapping(value)) return;
        const given = kinds.filter((kind) => kind in value);
        if (given.length !== 1) {
          const found = given.length === 0 ? "none of them" : given.join(" and ");
          report({ path, at: "value", expected: `exactly one of ${kinds.join(", ")}`, found });
        }
        if ("hits" in value && !("fault" in value)) misplaced("hits", "fault");
        if ("on" in value && !("sql" in value)) misplaced("on", "sql");
        function misplaced(key: string, beside: string): void {
          report({ path: [...path, key], at: "key", expected: `${key} only beside ${beside}`, found: `no ${beside}` });
        }
      },
    },
  ],
);

/** Defined late, as steps hold steps. */
const steps: Shape = {
  expected: "a list of at least 1 steps",
  check: (value, path, report) => list(step, "steps").check(value, path, report),
};

const delay = faultWith("a delay of messages", {
  "message!": either(
    [(value) => typeof value === "string" && value.length === 1, where("a type letter", isMessage)],
    [() => true, word(messageNames)],
  ),
  "ms!": shortShape,
  direction,
  every: count,
  times: count,
  probability: share,
});

/** Only who sends a message can have it delayed. */
const delayMessage: Shape = {
  expected: delay.expected,
  check(value, path, report) {
    delay.check(value, path, report);
    if (!isMapping(value) || !("message" in value) || !isMessage(value.message)) return;
    const senders = directionsOf(value.message);
    const name = String(value.message);
    if (!("direction" in value)) {
      if (senders.length === 1) return;
      const expected = `a direction beside it, as both sides send ${name}`;
      report({ path: [...path, "message"], at: "value", expected, found: "none" });
    } else if (
      (value.direction === "toServer" || value.direction === "toClient") &&
      !senders.includes(value.direction)
    ) {
      const expected = `${senders.join("")}, the way that ${name} goes`;
      report({ path: [...path, "direction"], at: "value", expected, found: value.direction });
    }
  },
};

function isMessage(value: unknown): boolean {
  return directionsOf(value).length > 0;
}

const actions: Readonly<Record<keyof StepActions, Shape>> = {
  wait: durationShape,
  until: condition,
  repeat: mapping("what to repeat", { "times!": whole(1, 1_000), "steps!": steps }),
  end: either([isText, label], [() => true, list(label, "names of faults")]),
  resume: either([isText, target], [() => true, mapping("what to resume", { on: target })]),
  restart: either([isText, target], [() => true, mapping("what to restart", { on: target })]),
  sql: mapping("a statement", { "text!": text, on: target }),
  names: list(target, "nodes"),

  dropReply: faultWith("a fault on statements", { ...statements, wait: word(["reply", "none"]) }),
  dropCommitReply: fault("a fault on COMMIT", { nth: count, times: count, wait: word(["reply", "none"]) }),
  cutBefore: faultWith("a fault on statements", statements),
  cutAfterParse: faultWith("a fault on statements", statements),
  cutBeforeReady: faultWith("a fault on statements", statements),
  inject: faultWith("an error instead of an answer", {
    ...statements,
    message,
    "sqlstate!": sqlstate,
    severity: word(["ERROR", "FATAL"]),
  }),
  notice: faultWith("a notice besides the answer", {
    ...statements,
    message,
    severity: word(noticeSeverities),
    sqlstate,
  }),
  delayMessage,
  latency: faultWith("a delay", { "ms!": shortShape, jitterMs: shortShape, direction }),
  freeze: fault("a freeze", { direction }),
  refuse: faultWith("a refusal", {
    "mode!": either(
      [isText, word(["reset", "fin"])],
      [() => true, mapping("an error", { "sqlstate!": sqlstate, "message!": message })],
    ),
  }),
  cut: fault("a cut", { mode: word(["reset", "fin"]) }),
  bandwidth: faultWith("a bandwidth", { "bytesPerSecond!": whole(1, 10_000_000_000), direction }),
  slice: faultWith("a slicing", { "bytes!": whole(1, 65_536), direction }),
  slowClose: faultWith("a slow close", { "ms!": shortShape }),
  pretendStandby: fault("a pretence"),

  kill: fault("a crash"),
  stop: fault("a stop", { mode: word(["smart", "fast", "immediate"]) }),
  hang: fault("a hang"),
  killBackend: faultWith("a killed server process", { "where!": text }),
  promote: fault("a promotion"),
  pauseReplay: fault("a pause of replay"),
  delayReplay: faultWith("a delay of replay", { "ms!": wholeMsShape }),
  lag: faultWith("a lag", { "bytes!": whole(1, 1024 ** 3) }),
  fillSlots: fault("full connection slots", { leave: whole(0, 10_000) }),
  holdLock: faultWith("a lock", { "table!": text, mode: word(lockModes) }),
  longStatement: fault("long statements", { count: whole(1, 100) }),
  failover: mapping("a failover", {
    kill: word(["kill", "immediate", "hang", "none"]),
    to: target,
    as: faultName,
    for: durationShape,
  }),
  switchover: mapping("a switchover", { to: target, as: faultName, for: durationShape }),
};

const step: Shape = either(
  // TypeScript only: YAML has no functions.
  [(value) => typeof value === "function", where("a function", () => true)],
  [() => true, choice("a step", actions)],
);

const violationKinds: Readonly<Record<ViolationKind, true>> = {
  "lost-write": true,
  "doubled-write": true,
  "wrong-verdict": true,
  unwritten: true,
  "counter-bounds": true,
  "bank-sum": true,
  "balance-bounds": true,
  "read-your-writes": true,
  "monotonic-reads": true,
  "aborted-read": true,
  "intermediate-read": true,
  internal: true,
  "duplicate-element": true,
  "incompatible-order": true,
  "lost-update": true,
  "dirty-write": true,
  "circular-information-flow": true,
  "read-skew": true,
  "long-fork": true,
  "write-skew": true,
  "connection-leak": true,
  "connection-shared": true,
  unsettled: true,
  truncated: true,
};

const bounds = mapping("bounds", { p50: limitShape, p95: limitShape, p99: limitShape, max: limitShape });

/** A whole scenario. */
export const scenarioShape: Shape = mapping("a scenario: a mapping with name and steps", {
  "name!": label,
  description: text,
  cluster: mapping("options of the cluster", {
    replicas: whole(0, 8),
    synchronous: flag,
    settings: record(line, `names of server settings, but ${reservedSettings.join(", ")}`, isSetting),
  }),
  service: mapping("a name that stands for nodes", { "nodes!": list(target, "nodes") }),
  workload: mapping("options of the load", {
    callers: whole(1, 200),
    pause: durationShape,
    mix: mapping("shares of calls", Object.fromEntries(workloadCalls.map((call) => [call, number(0, 1_000)]))),
  }),
  "steps!": steps,
  expect: mapping("expectations", {
    failed: whole(0),
    unknown: whole(0),
    acknowledged: whole(0),
    latency: mapping("bounds by access", { read: bounds, write: bounds, transaction: bounds }),
    isolation: word(["read-committed", "snapshot", "serializable"]),
    allow: list(word(Object.keys(violationKinds)), "kinds of violation", 0),
    settle: limitShape,
  }),
});

function isPattern(source: string): boolean {
  try {
    return RegExp(source, "i") instanceof RegExp;
  } catch {
    return false;
  }
}
