/** The preset as the subject of a run: what `breakwater chaos run` tries unless told otherwise. */
import type { Subject, SubjectEvent, SubjectTarget } from "@breakwater/chaos";
import { sqlSubject } from "@breakwater/chaos";
import type { Database, EventMap } from "@breakwater/core";
import { dnsSource } from "@breakwater/policies";
import { breakwater, type BreakwaterOptions } from "../breakwater.ts";

/** Events that say how the stack stands; those of single calls would be too many. */
const NOTES = [
  "router:node-down",
  "router:node-up",
  "router:role-changed",
  "router:node-fenced",
  "router:node-ejected",
  "router:node-readmitted",
  "router:node-lagging",
  "router:node-added",
  "router:node-removed",
  "router:history-changed",
  "commit-resolution:resolved",
  "call:outcome-unknown",
] as const satisfies readonly (keyof EventMap)[];

/** Puts the preset, with its defaults, before the cluster. */
export function stack(target: SubjectTarget): Subject {
  const db = breakwater(optionsFor(target));
  const sessions = new Map<string, Database>();
  const sessionOf = (name: string): Database => {
    let session = sessions.get(name);
    if (session === undefined) sessions.set(name, (session = db.session()));
    return session;
  };
  return sqlSubject({
    name: "breakwater",
    async query({ text, values, access, session }) {
      const options = access === "read" ? ({ access } as const) : ({ access, exactlyOnce: true } as const);
      const { rows } = await sessionOf(session).query(text, values, options);
      return rows;
    },
    transaction: (run, session) =>
      sessionOf(session).transaction((transaction) =>
        run(async <Row>(text: string, values: readonly unknown[] = []) => {
          const { rows } = await transaction.query<Row>(text, values);
          return [...rows];
        }),
      ),
    observe: (listener) => observe(db, namesOf(target), listener),
    close: () => db.close({ drainMs: 5_000 }),
  });
}

function optionsFor({ nodes, primary, replicas, service }: SubjectTarget): BreakwaterOptions {
  const node = (source: string): { readonly source: string; readonly name: string } => ({
    source,
    name: nodes.find(({ connectionString }) => connectionString === source)?.name ?? source,
  });
  if (service === undefined) {
    return { primary: node(primary), ...(replicas.length === 0 ? {} : { replicas: replicas.map(node) }) };
  }
  return { primary, router: { source: dnsSource({ ...service, refreshMs: 250 }) } };
}

/** Names of the nodes by what a pool's name has of them, which is the port. */
function namesOf({ nodes }: SubjectTarget): (pool: string) => string {
  return (pool) => nodes.find(({ port }) => pool.includes(`:${port}`))?.name ?? pool;
}

function observe(db: Database, nameOf: (pool: string) => string, listener: (event: SubjectEvent) => void): () => void {
  const breaker = (pool: string, state: "closed" | "open" | "half-open" | "isolated"): void =>
    listener({ kind: "breaker", node: nameOf(pool), state });
  const stops = [
    db.on("circuit-breaker:opened", ({ pool }) => breaker(pool, "open")),
    db.on("circuit-breaker:half-opened", ({ pool }) => breaker(pool, "half-open")),
    db.on("circuit-breaker:closed", ({ pool }) => breaker(pool, "closed")),
    db.on("circuit-breaker:isolated", ({ pool }) => breaker(pool, "isolated")),
    ...NOTES.map((name) => db.on(name, (event) => listener({ kind: "note", name, text: textOf(event) }))),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** What is plain of an event. */
function textOf(event: object): string {
  return Object.entries(event)
    .filter(([, value]) => ["string", "number", "boolean"].includes(typeof value))
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(", ");
}
