/**
 * Counts of what a stack tells on its bus. The events of policies are known by name and shape alone: no policy is imported.
 */
import type { EventMap, Events } from "@breakwater/core";
import type { Attributes, Meter } from "@opentelemetry/api";
import { ATTRIBUTE } from "./attributes.ts";
import { BoundedNames } from "./bounded-names.ts";

/** What the events that are counted have, each some of it. */
interface Told {
  readonly pool?: string;
  readonly node?: string;
  readonly role?: string;
  readonly why?: string;
  readonly reason?: string;
  readonly outcome?: string;
  readonly by?: string;
  readonly lagging?: boolean;
  readonly failure?: { readonly blames: string };
}

/** One counter, and the events that it counts. */
interface Count {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly events: Readonly<Record<string, (event: Told) => Attributes>>;
}

const pool = ({ pool: name }: Told): Attributes => ({ [ATTRIBUTE.pool]: name });
const node = ({ node: name }: Told): Attributes => ({ [ATTRIBUTE.node]: name });

/** A call that was turned away, by the policy that did it. */
const rejected =
  (policy: string) =>
  ({ pool: name, why }: Told): Attributes => ({
    [ATTRIBUTE.pool]: name,
    [ATTRIBUTE.policy]: policy,
    ...(why !== undefined && { [ATTRIBUTE.reason]: why }),
  });

const circuit =
  (state: string) =>
  ({ pool: name }: Told): Attributes => ({ [ATTRIBUTE.pool]: name, [ATTRIBUTE.circuit]: state });

const hedged = (outcome: string) => (): Attributes => ({ [ATTRIBUTE.outcome]: outcome });

const COUNTS: readonly Count[] = [
  {
    name: "breakwater.retries",
    description: "Attempts after the first that were scheduled.",
    unit: "{attempt}",
    events: { "retry:scheduled": ({ failure }) => ({ [ATTRIBUTE.blames]: failure?.blames }) },
  },
  {
    name: "breakwater.retries.exhausted",
    description: "Calls that were given up although they could have been run again.",
    unit: "{call}",
    events: {
      "retry:exhausted": ({ why, failure }) => ({ [ATTRIBUTE.reason]: why, [ATTRIBUTE.blames]: failure?.blames }),
    },
  },
  {
    name: "breakwater.circuit_breaker.transitions",
    description: "Changes of a circuit's state, by the new one.",
    unit: "{transition}",
    events: {
      "circuit-breaker:opened": circuit("open"),
      "circuit-breaker:half-opened": circuit("half-open"),
      "circuit-breaker:closed": circuit("closed"),
      "circuit-breaker:isolated": circuit("isolated"),
    },
  },
  {
    name: "breakwater.rejections",
    description: "Calls that a limiter turned away.",
    unit: "{call}",
    events: {
      "bulkhead:rejected": rejected("bulkhead"),
      "adaptive-limit:rejected": rejected("adaptive-limit"),
      "throttle:rejected": rejected("throttle"),
    },
  },
  {
    name: "breakwater.router.reroutes",
    description: "Calls that went on at another node, by the node that failed or refused them.",
    unit: "{call}",
    events: { "router:rerouted": node },
  },
  {
    name: "breakwater.router.role_changes",
    description: "Changes of a node's role, by the new one.",
    unit: "{change}",
    events: {
      "router:role-changed": ({ node: name, role }) => ({ [ATTRIBUTE.node]: name, [ATTRIBUTE.role]: role }),
    },
  },
  {
    name: "breakwater.commit.resolutions",
    description: "Commits whose answer was lost, by what became of them.",
    unit: "{commit}",
    events: {
      "commit-resolution:resolved": ({ outcome, by }) => ({ [ATTRIBUTE.outcome]: outcome, [ATTRIBUTE.by]: by }),
    },
  },
  {
    name: "breakwater.outcomes.unknown",
    description: "Calls that may have been carried out or not, before anything was resolved.",
    unit: "{call}",
    events: { "call:outcome-unknown": pool },
  },
  {
    name: "breakwater.hedges",
    description: "Reads that were sent a second time, and what came of it.",
    unit: "{read}",
    events: { "hedge:sent": hedged("sent"), "hedge:won": hedged("won"), "hedge:lost": hedged("lost") },
  },
  {
    name: "breakwater.fallbacks",
    description: "Failed calls that were answered all the same.",
    unit: "{call}",
    events: { "fallback:answered": ({ by }) => ({ [ATTRIBUTE.by]: by }) },
  },
  {
    name: "db.client.connection.timeouts",
    description: "Calls that got no connection in time.",
    unit: "{timeout}",
    events: { "connection:timed-out": pool },
  },
];

/** Events that only the count of all events has. */
const OTHERS: readonly string[] = [
  "connection:lost",
  "connection:failed",
  "connection:open-transaction",
  "transaction:not-replicated",
  "pool:interrupted",
  "control:changed",
  "autosize:resized",
  "leak-watch:suspected",
  "leak-watch:returned",
  "fallback:failed",
  "chaos:injected",
  "bulkhead:changed",
  "adaptive-limit:changed",
  "router:node-down",
  "router:node-up",
  "router:node-fenced",
  "router:node-ejected",
  "router:node-readmitted",
  "router:node-lagging",
  "router:node-added",
  "router:node-removed",
  "router:source-failed",
  "router:history-changed",
  "router:read-refused",
  "destination:opened",
  "destination:closed",
];

/** Most pools and nodes that are told apart: in a large fleet they come and go. */
export const MAX_NAMES = 200;

/** Counts events until the returned function is called. */
export function countEvents(events: Events, meter: Meter): () => void {
  const undo: (() => void)[] = [];
  const names = new BoundedNames(MAX_NAMES);
  const hear = (name: string, listener: (event: Told) => void): void => {
    undo.push(events.on(name as keyof EventMap, (event: object) => listener(event)));
  };
  const all = meter.createCounter("breakwater.events", {
    description: "What the stack has told on its bus, by event.",
    unit: "{event}",
  });
  for (const { name, description, unit, events: counted } of COUNTS) {
    const counter = meter.createCounter(name, { description, unit });
    for (const [event, attributesOf] of Object.entries(counted)) {
      hear(event, (told) => {
        counter.add(1, boundedTo(names, attributesOf(told)));
        all.add(1, { [ATTRIBUTE.event]: event });
      });
    }
  }
  for (const event of OTHERS) hear(event, () => all.add(1, { [ATTRIBUTE.event]: event }));
  return () => {
    for (const each of undo) each();
  };
}

function boundedTo(names: BoundedNames, attributes: Attributes): Attributes {
  for (const key of [ATTRIBUTE.pool, ATTRIBUTE.node]) {
    const name = attributes[key];
    if (typeof name === "string") attributes[key] = names.of(name, "other");
  }
  return attributes;
}
