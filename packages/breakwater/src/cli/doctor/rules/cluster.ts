/** Whether the nodes belong together, and one of them takes writes. */
import type { Node } from "../facts.ts";
import type { Found, Rule } from "../rule.ts";

export const CLUSTER: readonly Rule[] = [
  {
    id: "no-primary",
    level: "error",
    why: "Nobody takes writes: they wait for a primary, and fail when their time is over.",
    find: ({ replicas, primaries, silent }) =>
      replicas.length === 0 || primaries.length > 0
        ? []
        : [
            {
              seen: `${replicas.length} in recovery${silent.length === 0 ? "" : `, ${silent.length} did not answer`}, none takes writes`,
              change:
                "add the primary's connection string; where there is none, promote the replica that has received most: SELECT pg_promote();",
            },
          ],
  },
  {
    id: "several-primaries",
    level: "error",
    why: "Split brain: each takes writes that the others never get, and one side's will be lost.",
    find({ primaries: [newest, ...others] }) {
      if (newest === undefined || others.length === 0) return [];
      const older = others.filter(({ state }) => (state.timeline ?? 0) < (newest.state.timeline ?? 0));
      const told = older.length === 0 ? "all but the right one" : older.map(({ name }) => name).join(", ");
      return [
        {
          seen:
            [newest, ...others]
              .map(({ name, state }) => `${name} (timeline ${state.timeline ?? "unknown"})`)
              .join(" and ") + " take writes",
          change: `stop ${told}, save what only it has, and bring it back as a replica by pg_rewind or a new copy`,
        },
      ];
    },
  },
  {
    id: "different-clusters",
    level: "error",
    why: "The nodes hold different data: reads would answer from another database than writes go to.",
    find: ({ primaries, replicas, strangers }) => {
      const reference = primaries[0] ?? replicas[0];
      return strangers.map(({ name, state }) => ({
        node: name,
        seen: `system identifier ${state.systemId}; ${reference?.name} has ${reference?.state.systemId}`,
        change: "take it out of the list, or copy it from the primary again (pg_basebackup)",
      }));
    },
  },
  {
    id: "timeline-differs",
    level: "error",
    why: "The replica follows another history than the primary's: what it shows may never have been, and new writes do not come.",
    find({ primaries: [primary], replicas }) {
      const { timeline } = primary?.state ?? {};
      if (primary === undefined || timeline === undefined) return [];
      return replicas
        .filter(({ state }) => state.timeline !== undefined && state.timeline !== timeline)
        .map(({ name, state }) => ({
          node: name,
          seen: `timeline ${state.timeline}; the primary ${primary.name} is on ${timeline}`,
          change:
            "point its primary_conninfo at the primary, with recovery_target_timeline = 'latest'; when it went on past the " +
            "promotion, pg_rewind or a new copy",
        }));
    },
  },
  {
    id: "role-unexpected",
    level: "warning",
    why: "The nodes are others than was thought; breakwater observes roles and goes on, programs that do not would write to a replica.",
    find: ({ nodes }) =>
      nodes
        .filter(({ expected, state }) => expected !== undefined && expected !== state.role)
        .map(({ name, expected, state }) => ({
          node: name,
          seen: `given as ${expected}, is a ${state.role}`,
          change: `give it as --${state.role}, or promote or demote it`,
        })),
  },
  {
    id: "same-server-twice",
    level: "warning",
    why: "Two nodes are one server: it gets twice the load and twice the connections, and both are lost together.",
    find({ nodes }) {
      const found: Found[] = [];
      for (const [at, node] of nodes.entries()) {
        const first = nodes.slice(0, at).find(({ server }) => server === node.server);
        if (first !== undefined)
          found.push({ node: node.name, seen: `the same server as ${first.name}`, change: "leave one of the two out" });
      }
      return found;
    },
  },
  {
    id: "databases-differ",
    level: "warning",
    why: "Reads would be answered from another database than the one that writes go to.",
    find: ({ nodes: [first, ...others] }) =>
      others
        .filter(({ database }) => database !== first?.database)
        .map(({ name, database }) => ({
          node: name,
          seen: `database ${database}; ${first?.name} is ${first?.database}`,
          change: "name the same database in each connection string",
        })),
  },
  {
    id: "versions-differ",
    level: "warning",
    why: "Nodes of one cluster have the same major version; and what one minor version has mended the other has not.",
    find({ primaries, servers }) {
      const reference = primaries[0] ?? servers[0];
      return servers
        .filter(({ version }) => version !== reference?.version)
        .map((node) => ({
          node: node.name,
          seen: `PostgreSQL ${node.versionText}; ${reference?.name} has ${reference?.versionText}`,
          level: major(node) === (reference === undefined ? 0 : major(reference)) ? "note" : "warning",
          change: "bring all nodes to the same version, the replicas first",
        }));
    },
  },
  {
    id: "replica-unlisted",
    level: "note",
    why: "A replica that the service does not know takes no reads from it, and is not found when it becomes the primary.",
    find({ primaries: [primary], replicas, silent }) {
      const followers = primary?.senders?.length ?? 0;
      const known = replicas.length + silent.length;
      if (primary === undefined || followers <= known) return [];
      return [
        {
          node: primary.name,
          seen: `${followers} receive WAL from it, ${known} ${known === 1 ? "replica was" : "replicas were"} given`,
          change: "give their connection strings as well: breakwater({ replicas: […] })",
        },
      ];
    },
  },
  {
    id: "no-replica",
    level: "note",
    why: "When this server is lost, nobody can take over: calls wait until it is back.",
    find({ nodes, silent, primaries: [primary] }) {
      if (primary === undefined || nodes.length > 1 || silent.length > 0 || (primary.senders?.length ?? 0) > 0)
        return [];
      return [
        {
          node: primary.name,
          seen: "no replica was given, and none receives WAL",
          change: "add a replica (pg_basebackup -R)",
        },
      ];
    },
  },
];

function major({ version }: Node): number {
  return Math.floor(version / 10_000);
}
