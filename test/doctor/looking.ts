/** What `breakwater doctor` says of nodes. */
import type { ClusterNode } from "@breakwater/chaos";
import { doctorCommand } from "../../packages/breakwater/src/cli/doctor/doctor.ts";

/** One finding, as `--json` tells it. */
export interface Finding {
  readonly id: string;
  readonly level: "error" | "warning" | "note";
  readonly node: string | null;
  readonly seen: string;
  readonly why: string;
  readonly change: string;
}

/** What it said, and how it ended. */
export interface Look {
  readonly code: number;
  readonly nodes: readonly Readonly<Record<string, unknown>>[];
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Record<string, number>>;
  /** Ids of errors and warnings, sorted; of one node's, or of those that are about several. */
  serious(node?: string | null): readonly string[];
  /** The only finding of an id. @throws when there is none, or are several. */
  only(id: string): Finding;
  /** Everything that was written. */
  readonly all: string;
}

export const PASSWORD = "correct horse battery";
const USER = "app";

/** The connection string of a node, past its proxy, as the service's role. */
export function dsn(
  node: ClusterNode,
  changes: { user?: string; password?: string; database?: string; port?: number } = {},
): string {
  const { user = USER, password = PASSWORD, database = "shop", port = node.directPort } = changes;
  return `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
}

/** How a node is called in what it says. */
export function nameOf(node: ClusterNode, port: number = node.directPort): string {
  return `127.0.0.1:${port}/shop`;
}

/** A loaded machine is no finding. */
const PATIENT = ["--timeout-ms", "60000", "--max-lag-ms", "60000"];

/** Runs `breakwater doctor --json`. */
export async function look(...args: readonly string[]): Promise<Look> {
  let all = "";
  const write = (text: string, written: () => void): void => {
    all += text;
    written();
  };
  const code = await doctorCommand(["--json", ...PATIENT, ...args], { write });
  const said = JSON.parse(all) as Pick<Look, "nodes" | "findings" | "counts">;
  return {
    code,
    ...said,
    all,
    serious: (node) =>
      said.findings
        .filter((one) => one.level !== "note" && (node === undefined || one.node === node))
        .map(({ id }) => id)
        .toSorted(),
    only(id) {
      const found = said.findings.filter((one) => one.id === id);
      if (found.length !== 1) throw new Error(`${found.length} × ${id}: ${all}`);
      return found[0]!;
    },
  };
}
