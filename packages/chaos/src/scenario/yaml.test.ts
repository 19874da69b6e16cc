import { describe, expect, it } from "vitest";
import { ScenarioError } from "./issue.ts";
import { readyScenario, readyScenarios } from "./library.ts";
import { scenario } from "./scenario.ts";
import { parseScenario } from "./yaml.ts";

/** Line, column, path, what was expected and what was found, of everything that is wrong. */
function wrong(text: string): string[] {
  try {
    parseScenario(text, "f.yaml");
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    expect(error.issues.every(({ line = 0, column = 0 }) => line >= 1 && column >= 1)).toBe(true);
    return error.message.split("\n");
  }
  return [];
}

const head = "name: x\nsteps:\n";

describe("a scenario in YAML", () => {
  it("tells the first fifty issues, and how many more there are", () => {
    const told = wrong(`name: x\nsteps:\n${"  - wiat: 5\n".repeat(60)}`);
    expect(told).toHaveLength(51);
    expect(told.at(-1)).toBe("f.yaml: and 10 more");
  });

  it("may have a byte order mark, line ends of Windows, and aliases", () => {
    expect(parseScenario("\uFEFFname: x\r\nsteps:\r\n  - &one { wait: 5 }\r\n  - *one\r\n").steps).toEqual([
      { wait: 5 },
      { wait: 5 },
    ]);
  });

  it("may delay any message, by its name or its letter", () => {
    const text = `${head}  - delayMessage: { message: Z, ms: 5ms }
  - delayMessage: { message: D, direction: toServer, ms: [5, 1m] }
  - delayMessage: { message: CopyData, direction: toClient, ms: 0 }
`;
    expect(wrong(text)).toEqual([]);
  });

  it("is read with everything that it may hold", () => {
    const text = `
name: everything
description: All of it.
cluster: { replicas: 3, synchronous: true, settings: { work_mem: "8MB" } }
service: { nodes: [n1, n2] }
workload: { callers: 4, pause: [0, 5ms], mix: { insert: 1, get: 0.5 } }
steps:
  - wait: 1.5s
  - wait: [100, 0.2s]
  - until: primary-answers
  - until: { is: replicas-caught-up, within: 2s }
  - until: { written: 3, within: 1s, optional: true }
  - until: { sql: "SELECT true", on: replicas }
  - dropReply: { to: "^commit", every: 2, times: 3, probability: 0.5, wait: none, on: n1, for: 1s, as: loss }
  - until: { fault: loss, hits: 2 }
  - repeat: { times: 2, steps: [{ cut: primary }, { freeze: { for: [10, 20] } }] }
  - inject: { to: select, sqlstate: "40001", severity: FATAL, message: no }
  - refuse: { mode: { sqlstate: "53300", message: full } }
  - refuse: { mode: fin, on: all }
  - failover: { kill: hang, to: n3, as: over }
  - resume: old-primary
  - names: [n3, n2]
  - sql: { text: SELECT 1, on: old-primary }
  - end: [loss, over]
  - end: all
expect:
  failed: 0
  unknown: 3
  acknowledged: 10
  latency: { read: { p99: 200ms, max: 1s }, transaction: { p50: 30 } }
  isolation: serializable
  allow: [long-fork]
  settle: 5s
`;
    const read = parseScenario(text);
    expect(read.steps).toHaveLength(18);
    expect(read).toMatchObject({ name: "everything", source: "scenario.yaml", cluster: { replicas: 3 } });
  });

  it.each<readonly [string, string, string]>([
    [
      "an unknown key",
      `${head}  - wait: 1\nclustr: {}\n`,
      'f.yaml:4:1: clustr: expected one of the keys name, description, cluster, service, workload, steps, expect, found the unknown key "clustr" (did you mean "cluster"?)',
    ],
    [
      "an unknown key further in",
      `${head}  - freeze: { on: n1, directon: toClient }\n`,
      'f.yaml:3:23: steps[0].freeze.directon: expected one of the keys direction, on, for, as, found the unknown key "directon" (did you mean "direction"?)',
    ],
    [
      "a wrong type",
      `${head}  - wait: soon\n`,
      'f.yaml:3:11: steps[0].wait: expected a time such as 250, "200ms" or "1.5s", up to 10 minutes, found the text "soon"',
    ],
    [
      "a list for a text",
      `name: [x]\nsteps:\n  - wait: 1\n`,
      "f.yaml:1:7: name: expected a name of letters, digits and -, found a list of 1",
    ],
    [
      "a text for a list",
      "name: x\nsteps: wait\n",
      'f.yaml:2:8: steps: expected a list of at least 1 steps, found the text "wait"',
    ],
    [
      "a text for a mapping",
      `name: x\ncluster: big\nsteps:\n  - wait: 1\n`,
      'f.yaml:2:10: cluster: expected options of the cluster, found the text "big"',
    ],
    [
      "a number for a text in quotes",
      `${head}  - inject: { to: a, sqlstate: 40001 }\n`,
      "f.yaml:3:32: steps[0].inject.sqlstate: expected five characters from 0-9 and A-Z, in quotes, found the number 40001",
    ],
    [
      "a boolean in the words of YAML 1.1",
      `name: x\ncluster: { synchronous: yes }\nsteps:\n  - wait: 1\n`,
      'f.yaml:2:25: cluster.synchronous: expected true or false, found the text "yes"',
    ],
    [
      "nothing for a value",
      `name:\nsteps:\n  - wait: 1\n`,
      "f.yaml:1:1: name: expected a name of letters, digits and -, found nothing",
    ],
    [
      "a missing key",
      "steps:\n  - wait: 1\n",
      'f.yaml:1:1: expected the key "name" (a name of letters, digits and -), found a mapping with steps',
    ],
    [
      "a missing option",
      `${head}  - dropReply: { on: n1 }\n`,
      'f.yaml:3:16: steps[0].dropReply: expected the key "to" (a pattern (a regular expression)), found a mapping with on',
    ],
    [
      "what is out of range",
      `name: x\ncluster: { replicas: 9 }\nsteps:\n  - wait: 1\n`,
      "f.yaml:2:22: cluster.replicas: expected a whole number from 0 to 8, found the number 9",
    ],
    [
      "what is not whole",
      `name: x\nworkload:\n  callers: 1.5\nsteps:\n  - wait: 1\n`,
      "f.yaml:3:12: workload.callers: expected a whole number from 1 to 200, found the number 1.5",
    ],
    [
      "no number",
      `${head}  - dropReply: { to: a, probability: .nan }\n`,
      "f.yaml:3:38: steps[0].dropReply.probability: expected a number from 0 to 1, found the number NaN",
    ],
    [
      "a time that is too long",
      `${head}  - wait: 11m\n`,
      'f.yaml:3:11: steps[0].wait: expected a time such as 250, "200ms" or "1.5s", up to 10 minutes, found the text "11m"',
    ],
    [
      "a range in the wrong order",
      `${head}  - wait: [200, 100]\n`,
      "f.yaml:3:11: steps[0].wait: expected a list of two such times, the shorter first, found a list of 2",
    ],
    [
      "a bad pattern",
      `${head}  - cutBefore: { to: "(" }\n`,
      'f.yaml:3:22: steps[0].cutBefore.to: expected a pattern (a regular expression), found the text "("',
    ],
    [
      "a message that there is not",
      `${head}  - delayMessage: { message: ComandComplete, ms: 5 }\n`,
      "f.yaml:3:30: steps[0].delayMessage.message: expected one of Authentication, BackendKeyData, ",
    ],
    [
      "a message that the other side sends",
      `${head}  - delayMessage: { message: Query, ms: 5, direction: toClient }\n`,
      "f.yaml:3:55: steps[0].delayMessage.direction: expected toServer, the way that Query goes, found toClient",
    ],
    [
      "a message that both sides send",
      `${head}  - delayMessage: { message: CopyData, ms: 5 }\n`,
      "f.yaml:3:30: steps[0].delayMessage.message: expected a direction beside it, as both sides send CopyData, found none",
    ],
    [
      "a delay that is too long for a connection",
      `${head}  - latency: { ms: 5, jitterMs: 2m }\n`,
      'f.yaml:3:33: steps[0].latency.jitterMs: expected a time such as 250, "200ms" or "1.5s", up to 1 minute, found the text "2m"',
    ],
    [
      "a range that goes too far",
      `${head}  - slowClose: { ms: [1s, 61s] }\n`,
      'f.yaml:3:27: steps[0].slowClose.ms[1]: expected a time such as 250, "200ms" or "1.5s", up to 1 minute, found the text "61s"',
    ],
    [
      "a delay of replay that is none",
      `${head}  - delayReplay: { ms: 0 }\n`,
      'f.yaml:3:24: steps[0].delayReplay.ms: expected a time such as 250, "200ms" or "1.5s", in whole milliseconds, from 1 ms to 10 minutes, found the number 0',
    ],
    [
      "a lag of more than can be made",
      `${head}  - lag: { bytes: 1073741825 }\n`,
      "f.yaml:3:19: steps[0].lag.bytes: expected a whole number from 1 to 1073741824, found the number 1073741825",
    ],
    [
      "a message of two lines",
      `${head}  - inject: { to: a, sqlstate: "40001", message: "a\\nb" }\n`,
      "f.yaml:3:50: steps[0].inject.message: expected a text of one line, found the text",
    ],
    [
      "a refusal of two lines",
      `${head}  - refuse: { mode: { sqlstate: "53300", message: "a\\nb" } }\n`,
      "f.yaml:3:51: steps[0].refuse.mode.message: expected a text of one line, found the text",
    ],
    [
      "a severity that no notice has",
      `${head}  - notice: { to: a, severity: WARN }\n`,
      "f.yaml:3:32: steps[0].notice.severity: expected one of WARNING, NOTICE, INFO, LOG, DEBUG, found the text",
    ],
    [
      "a lock that there is not",
      `${head}  - holdLock: { table: t, mode: EXCLUSIV }\n`,
      'found the text "EXCLUSIV" (did you mean "EXCLUSIVE"?)',
    ],
    [
      "a fault that is called all",
      `${head}  - freeze: { as: all }\n`,
      'f.yaml:3:19: steps[0].freeze.as: expected a name of letters, digits and -, but "all", found the text "all"',
    ],
    [
      "a bad word",
      `${head}  - failover: { kill: hard }\n`,
      'f.yaml:3:23: steps[0].failover.kill: expected one of kill, immediate, hang, none, found the text "hard"',
    ],
    ["a bad kind", `${head}  - wait: 1\nexpect: { allow: [lost-wrte] }\n`, '(did you mean "lost-write"?)'],
    [
      "a bad node",
      `${head}  - kill: primry\n`,
      'f.yaml:3:11: steps[0].kill: expected a node: primary, old-primary, replica, replicas, all, or a name such as n2, found the text "primry"',
    ],
    [
      "a step of two actions",
      `${head}  - wait: 1\n    kill: n1\n`,
      'f.yaml:4:5: steps[0].kill: expected a step with one key, found a second key "kill" beside "wait"',
    ],
    ["an empty step", `${head}  -\n`, "f.yaml:3:4: steps[0]: expected a step: a mapping of one key of wait,"],
    [
      "a condition of two kinds",
      `${head}  - until: { acknowledged: 1, failed: 1 }\n`,
      "f.yaml:3:12: steps[0].until: expected exactly one of is, acknowledged, written, failed, fault, breaker, sql, found acknowledged and failed",
    ],
    ["a condition of no kind", `${head}  - until: { within: 1s }\n`, "found none of them"],
    [
      "hits without a fault",
      `${head}  - until: { acknowledged: 1, hits: 2 }\n`,
      "f.yaml:3:31: steps[0].until.hits: expected hits only beside fault, found no fault",
    ],
    [
      "a mistake inside repeat",
      `${head}  - repeat: { times: 2, steps: [{ wait: -1 }] }\n`,
      "f.yaml:3:41: steps[0].repeat.steps[0].wait: expected a time such as",
    ],
    [
      "a key that stands twice",
      `name: x\nname: y\nsteps:\n  - wait: 1\n`,
      "f.yaml:2:1: expected each key once, found Map keys must be unique",
    ],
    ["a second document", `${head}  - wait: 1\n---\nname: y\n`, "expected one document"],
    ["a tab", "name: x\nsteps:\n\t- wait: 1\n", "f.yaml:3:1: expected spaces to indent"],
    ["a list that is not closed", "name: x\nsteps: [\n", "f.yaml:3:1: expected "],
    ["a quote that is not closed", 'name: "x\n', "expected a character that closes or separates"],
    ["a tag", `name: !secret x\nsteps:\n  - wait: 1\n`, "f.yaml:1:7: expected no tags"],
    ["an alias of nothing", `name: *nobody\nsteps:\n  - wait: 1\n`, "f.yaml:1:"],
    ["nothing at all", "", "f.yaml:1:1: expected a scenario: a mapping with name and steps, found nothing"],
    ["only a comment", "# soon\n", "found nothing"],
    [
      "a list for a scenario",
      "- wait: 1\n",
      "f.yaml:1:1: expected a scenario: a mapping with name and steps, found a list of 1",
    ],
    [
      "a list without steps",
      "name: x\nsteps: []\n",
      "f.yaml:2:8: steps: expected a list of at least 1 steps, found an empty list",
    ],
    [
      "a load of nothing",
      `name: x\nworkload: { mix: { insert: 0 } }\nsteps:\n  - wait: 1\n`,
      "f.yaml:2:18: workload.mix: expected a share above 0 for one kind of call, found none",
    ],
    [
      "a setting that is no text",
      `name: x\ncluster: { settings: { work_mem: 8 } }\nsteps:\n  - wait: 1\n`,
      "f.yaml:2:34: cluster.settings.work_mem: expected a text of one line, in quotes, found the number 8",
    ],
    [
      "a setting that is the kit's own",
      "name: x\ncluster: { settings: { port: '5' } }\nsteps: [{ wait: 5 }]\n",
      "f.yaml:2:24: cluster.settings.port: expected names of server settings, but listen_addresses, port,",
    ],
    [
      "an alias of nothing",
      `${head}  - *one\n`,
      'f.yaml:3:5: expected an alias of an anchor that stands before it, found "*one"',
    ],
    [
      "an alias within its anchor",
      "name: x\nsteps: &all\n  - repeat: { times: 2, steps: *all }\n",
      'f.yaml:3:32: expected an alias of an anchor that stands before it, found "*all" within its own anchor',
    ],
    ["a list that is not closed", "name: x\nsteps: [{ wait: 5 }\n", 'f.yaml:3:1: expected a closing "]", found none'],
    ["two documents", `${head}  - wait: 5\n---\nname: y\n`, "f.yaml:4:1: expected one document, found a second one"],
  ])("is refused for %s", (_, text, message) => {
    expect(wrong(text).join("\n")).toContain(message);
  });

  it.each<readonly [string, string, string]>([
    [
      "the end of a fault that is not on",
      `${head}  - end: loss\n`,
      'f.yaml:3:10: steps[0].end: expected a fault that an earlier step names by "as", found "loss", which none does',
    ],
    [
      "the end of all when there is none",
      `${head}  - end: all\n`,
      "expected a fault in an earlier step, found none to end",
    ],
    ["a misspelt fault", `${head}  - freeze: { as: network }\n  - end: netwrk\n`, '(did you mean "network"?)'],
    [
      "hits of a fault that comes later",
      `${head}  - until: { fault: loss }\n  - freeze: { as: loss }\n`,
      'f.yaml:3:21: steps[0].until.fault: expected a fault that an earlier step names by "as"',
    ],
    [
      "one name for two faults",
      `${head}  - freeze: { as: a }\n  - freeze: { as: a }\n`,
      'f.yaml:4:19: steps[1].freeze.as: expected a name of its own for each fault, found "a" a second time',
    ],
    [
      "an old primary before there is one",
      `${head}  - kill: old-primary\n`,
      "expected a failover, switchover or promote in an earlier step",
    ],
    [
      "a node that is not there",
      `${head}  - kill: n4\n`,
      "f.yaml:3:11: steps[0].kill: expected a node from n1 to n3, found n4",
    ],
    [
      "a promotion of the primary",
      `${head}  - promote: primary\n`,
      'f.yaml:3:14: steps[0].promote: expected a replica for promote, found "primary"',
    ],
    [
      "a replica's fault of all nodes",
      `${head}  - lag: { bytes: 5, on: all }\n`,
      'f.yaml:3:10: steps[0].lag: expected a replica for lag, found "all"',
    ],
    [
      "a failover to the primary",
      `${head}  - failover: { to: primary }\n`,
      'f.yaml:3:21: steps[0].failover.to: expected a replica, which takes over, found "primary"',
    ],
    [
      "a failover without a replica",
      `name: x\ncluster: { replicas: 0 }\nsteps:\n  - failover: {}\n`,
      "expected a cluster with replicas for failover, found replicas: 0",
    ],
    [
      "replicas that are not there",
      `name: x\ncluster: { replicas: 0 }\nsteps:\n  - until: replicas-streaming\n`,
      "expected a cluster with replicas for replicas-streaming",
    ],
    ["names without a service", `${head}  - names: [n2]\n`, 'expected "service" at the top'],
  ])("is refused for the wrong order: %s", (_, text, message) => {
    expect(wrong(text).join("\n")).toContain(message);
  });

  it("is told everything that is wrong at once, in the order of the file", () => {
    const found = wrong(
      "steps:\n  - wiat: 5\n  - wait: soon\nname: 7\nexpect: { failed: -1 }\nworkload: { callers: 1, callers: 2 }\n",
    );
    const places = found.map((line) => /^f\.yaml:(\d+:\d+):/.exec(line)?.[1]);
    expect(places).toEqual(["2:5", "3:11", "4:7", "5:19", "6:25"]);
  });

  it("may use aliases, whose place is told where they stand", () => {
    const text = "name: x\nsteps:\n  - freeze: &one { on: n1, ms: 5 }\n  - freeze: *one\n";
    expect(wrong(text).map((line) => line.split(" ")[0])).toEqual(["f.yaml:3:28:", "f.yaml:3:28:"]);
  });

  it("ends aliases that would grow without end", () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${["b", "c", "d", "e"].map((key, at) => `${key}: &${key} [${Array(9).fill(`*${"abcd"[at]}`).join(",")}]`).join("\n")}\n`;
    expect(wrong(bomb).join("\n")).toContain("expected aliases that can be resolved");
  });
});

describe("a scenario in TypeScript", () => {
  it("may have functions and patterns, and is checked as well", () => {
    const made = scenario({ name: "own", steps: [{ dropReply: { to: /^commit/ } }, async () => {}, { end: "all" }] });
    expect(made).toMatchObject({ name: "own", source: "own", description: "" });
    expect(() => scenario({ name: "own", steps: [{ wait: "soon" }, { kill: "n8" }] })).toThrow(
      'own: steps[0].wait: expected a time such as 250, "200ms" or "1.5s", up to 10 minutes, found the text "soon"',
    );
    expect(() => scenario({ name: "own", steps: [{ wait: 1, kill: "n1" } as never] })).toThrow("a second key");
    expect(() => scenario(undefined as never)).toThrow("found nothing");
  });
});

describe("the ready scenarios", () => {
  it("can all be read, under the name of their file", async () => {
    const names = (await readyScenarios()).map(({ name, source }) => [name, source.endsWith(`/${name}.yaml`)]);
    expect(names).toEqual(
      [
        "connection-storm",
        "dns-move",
        "failover",
        "hung-primary",
        "replica-lag",
        "reply-loss",
        "rolling-restart",
        "slot-exhaustion",
        "slow-replica",
        "split-brain",
        "switchover",
      ].map((name) => [name, true]),
    );
  });

  it("are told when a name is not known", async () => {
    await expect(readyScenario("failovr")).rejects.toThrow('no ready scenario "failovr"; did you mean failover?');
    await expect(readyScenario("nothing-like-it")).rejects.toThrow("There are: connection-storm, ");
  });
});
