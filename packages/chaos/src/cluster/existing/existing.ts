/**
 * Servers that are there already. Only what SQL and the proxy can do is done to them, and only to hosts that were named for it.
 */
import { booleanOf, onlyKnown, refusal } from "../../check.ts";
import { setupError, stateError } from "../../errors.ts";
import { adminQuery } from "../admin.ts";
import type { AdminAccess, NodeState, Provider, ProviderFactory, ServerHost } from "../provider.ts";

/** How to reach servers that run already. */
export interface ExistingOptions {
  /** A connection string for each server, with the rights that the faults need: `pg_promote`, `pg_terminate_backend` … */
  readonly nodes: readonly string[];
  /**
   * The hosts, as `host:port`, on which faults may be let loose. Every node must be named: nothing happens to a server by accident.
   */
  readonly allowFaultsOn: readonly string[];
}

/**
 * A provider for `startCluster({ provider: existing({ … }) })`: clients go through a fault proxy before each server. Who is the
 * primary is asked. `promote()`, `pauseReplay()` and the faults that are statements work; `stop`, `kill`, `hang`, `failover` and what
 * else needs the machine is refused. `close()` ends the proxies and leaves the servers alone.
 *
 * @throws RangeError when an option is unknown or out of range, or a node's host is not named in `allowFaultsOn`.
 */
export function existing(options: ExistingOptions): ProviderFactory {
  onlyKnown("existing", options, ["nodes", "allowFaultsOn"]);
  const { nodes, allowFaultsOn } = options;
  if (!Array.isArray(nodes) || nodes.length === 0) throw refusal("nodes", nodes, "at least one connection string");
  if (!Array.isArray(allowFaultsOn)) throw refusal("allowFaultsOn", allowFaultsOn, 'hosts, such as "db1.test:5432"');
  const all = nodes.map(accessOf);
  for (const { host = "", port } of all) {
    if (!allowFaultsOn.includes(`${host}:${port}`)) {
      throw new RangeError(`allowFaultsOn must name ${host}:${port}: faults would strike it`);
    }
  }
  return async (cluster): Promise<Provider> => {
    for (const name of ["binaries", "password"] as const) {
      if (cluster[name] !== undefined) throw new RangeError(`${name} must be left out: the servers are there already`);
    }
    if (Object.keys(cluster.settings).length > 0)
      throw refusal("settings", "given", "left out: the servers have theirs");
    if (booleanOf("synchronous", cluster.synchronous)) {
      throw refusal("synchronous", true, "left out: the servers are configured by their owner");
    }
    const standby = await Promise.all(all.map(isStandby));
    const primaries = all.filter((_, at) => standby[at] === false);
    if (primaries.length !== 1) throw setupError(`existing: ${primaries.length} of the nodes are primaries, not one`);
    const inOrder = [...primaries, ...all.filter((_, at) => standby[at] === true)];
    const hosts = inOrder.map((access, at) => new ExistingServer(`n${at + 1}`, access));
    return { hosts, standing: true, close: () => Promise.resolve() };
  };
}

async function isStandby(access: AdminAccess): Promise<boolean> {
  try {
    const [row] = await adminQuery<{ standby: boolean }>(access, "SELECT pg_is_in_recovery() AS standby");
    return row?.standby === true;
  } catch (error) {
    throw setupError(`existing: ${access.host}:${access.port} does not answer`, error);
  }
}

/** Its text is never shown: it may hold a password. */
function accessOf(text: string, at: number): AdminAccess {
  const wanted = "postgres://user@host:port/database";
  const url = typeof text === "string" && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol) || url.hostname === "") {
    throw new RangeError(`nodes[${at}] must be a connection string such as ${wanted}`);
  }
  return {
    host: url.hostname,
    port: url.port === "" ? 5432 : Number(url.port),
    user: decodeURIComponent(url.username) || "postgres",
    password: url.password === "" ? undefined : decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)) || "postgres",
    parameters: url.search.slice(1),
  };
}

class ExistingServer implements ServerHost {
  readonly name: string;
  readonly access: AdminAccess;
  readonly pid: undefined = undefined;
  readonly state: NodeState = "running";

  constructor(name: string, access: AdminAccess) {
    this.name = name;
    this.access = access;
  }

  start(): Promise<void> {
    return this.#refused("start");
  }
  stop(): Promise<void> {
    return this.#refused("stop");
  }
  kill(): Promise<void> {
    return this.#refused("kill");
  }
  killBackend(): Promise<void> {
    return this.#refused("killBackend");
  }
  cloneFrom(): Promise<void> {
    return this.#refused("reclone");
  }
  hang(): void {
    throw this.#refusal("hang");
  }
  resume(): void {
    throw this.#refusal("resume");
  }
  configure(): void {
    throw this.#refusal("follow");
  }
  markStandby(): void {
    throw this.#refusal("follow");
  }
  logTail(): string {
    return "";
  }

  #refused(what: string): Promise<never> {
    return Promise.reject(this.#refusal(what));
  }

  #refusal(what: string): Error {
    return stateError(`${what}: ${this.name} is not a server of the kit's own; only SQL and the proxy may touch it`);
  }
}
