/** How things stood over the time of a run. */
import type { ClusterNode } from "../cluster/node.ts";
import type { RunEvent, RunLane, RunSpan } from "./record.ts";
import type { SubjectEvent } from "./subject.ts";

/** Events that a record keeps; a run in trouble may tell of thousands. */
const MAX_EVENTS = 1_000;

interface OpenSpan {
  readonly fromMs: number;
  readonly state: string;
  readonly detail: string | undefined;
}

/** Lanes that grow. */
export class Lanes {
  readonly #lanes = new Map<string, { readonly spans: RunSpan[]; open: OpenSpan }>();

  /** Notes how something stands now. Does nothing when it stood so already. */
  note(name: string, atMs: number, state: string, detail?: string): void {
    const lane = this.#lanes.get(name);
    const open = { fromMs: atMs, state, detail };
    if (lane === undefined) this.#lanes.set(name, { spans: [], open });
    else if (lane.open.state !== state || lane.open.detail !== detail) {
      lane.spans.push(span(lane.open, atMs));
      lane.open = open;
    }
  }

  /** All lanes up to a moment, in the order of their first note. */
  until(endMs: number): RunLane[] {
    return [...this.#lanes].map(([name, { spans, open }]) => ({ name, spans: [...spans, span(open, endMs)] }));
  }

  states(): ReadonlyMap<string, string> {
    return new Map([...this.#lanes].map(([name, { open }]) => [name, open.state]));
  }
}

function span({ fromMs, state, detail }: OpenSpan, endMs: number): RunSpan {
  const toMs = Math.max(fromMs, endMs);
  return detail === undefined ? { fromMs, toMs, state } : { fromMs, toMs, state, detail };
}

/** What a run sees of nodes and subject. */
export class Observer {
  readonly nodes: Lanes = new Lanes();
  readonly breakers: Lanes = new Lanes();
  readonly events: RunEvent[] = [];
  readonly #now: () => number;

  /** @param now in milliseconds since the load began. */
  constructor(now: () => number) {
    this.#now = now;
  }

  look(nodes: readonly ClusterNode[]): void {
    for (const { name, role, state } of nodes) this.nodes.note(name, this.#now(), role, state);
  }

  hear(event: SubjectEvent): void {
    const atMs = this.#now();
    if (event.kind === "breaker") {
      if (!this.breakers.states().has(event.node)) this.breakers.note(event.node, 0, "closed");
      this.breakers.note(event.node, atMs, event.state);
    } else if (this.events.length < MAX_EVENTS) this.events.push({ atMs, name: event.name, text: event.text });
  }
}
