/**
 * How many connections a pool should have: a place to begin, from which to measure.
 */
import { OptionError } from "../contract/errors.ts";
import { atLeast, knownOptions, nonNegativeInteger, positiveInteger, ratio } from "../contract/options.ts";

/** What is known of the server and of the load. At least `cores`, or both `arrivalsPerSecond` and `serviceTimeMs`. */
export interface PoolSizeInputs {
  /** Cores of the database server, without hyper-threads; a whole number from 1. */
  readonly cores?: number;
  /**
   * Disks that can seek at the same time; a number from 0. It is 0 where all that is read is in memory, and nears the
   * number of disks as less of it is. @default 1
   */
  readonly spindles?: number;
  /** Calls that arrive per second, from all instances together; a number from 0. */
  readonly arrivalsPerSecond?: number;
  /** Mean time that a call holds its connection, in milliseconds, such as `metrics.execution.mean`; a number from 0. */
  readonly serviceTimeMs?: number;
  /** Share of the connections that may be busy on average; above 0, at most 1. What is left is for bursts. @default 0.7 */
  readonly targetUtilisation?: number;
  /** Pools that share the server, such as processes of the service; a whole number from 1. @default 1 */
  readonly instances?: number;
  /** The server's `max_connections`; a whole number from 1. */
  readonly maxConnections?: number;
  /**
   * Connections of these that the pools do not get: `superuser_reserved_connections`, `reserved_connections`, replicas,
   * backups, people; a whole number from 0. Each pool's probe needs one, too. @default 3 for the superuser, 1 for each instance
   */
  readonly reserved?: number;
}

/** A suggestion for each of the pools that share a server, and where it comes from. */
export interface PoolSize {
  /** Connections of one pool; a whole number from 1. */
  readonly size: number;
  /** What one pool has of the number that the server works on best; undefined where the cores are not known. */
  readonly byCores: number | undefined;
  /** What one pool needs for the load; undefined where the load is not known. */
  readonly byLoad: number | undefined;
  /** Most that one pool may have before the server refuses connections; undefined where that is not known. */
  readonly limit: number | undefined;
  /** The reckoning, in plain sentences. */
  readonly why: readonly string[];
}

const INPUTS = [
  "cores",
  "spindles",
  "arrivalsPerSecond",
  "serviceTimeMs",
  "targetUtilisation",
  "instances",
  "maxConnections",
  "reserved",
] as const;

/** `superuser_reserved_connections` of PostgreSQL, where nobody changed it. */
const SUPERUSER_RESERVED = 3;

/**
 * Suggests how many connections a pool should have: the least of what the cores can work on, what the load needs, and
 * what the server allows.
 *
 * By cores: `cores * 2 + spindles` active connections (PostgreSQL wiki, "Number Of Database Connections", which found it
 * by measuring). By load: Little's law, `L = λ · W` (J. D. C. Little, "A Proof for the Queuing Formula: L = λW", 1961),
 * over the target utilisation. Both suppose that a connection that is held is at work: a transaction that waits for a
 * lock, or for its own service, holds one and uses no core.
 * @throws OptionError when an input is unknown or out of range, too little is known, or the server does not allow each
 * pool one connection.
 */
export function suggestPoolSize(inputs: PoolSizeInputs): PoolSize {
  knownOptions("suggestPoolSize", inputs, INPUTS);
  const { cores, arrivalsPerSecond, serviceTimeMs, maxConnections } = inputs;
  const instances = positiveInteger("suggestPoolSize.instances", inputs.instances ?? 1);
  const known = checked(inputs, instances);
  const why: string[] = [];
  if (arrivalsPerSecond === undefined ? serviceTimeMs !== undefined : serviceTimeMs === undefined) {
    const missing = arrivalsPerSecond === undefined ? "arrivalsPerSecond" : "serviceTimeMs";
    throw new OptionError(`suggestPoolSize.${missing}`, undefined, "given as well: a load is both");
  }
  if (cores === undefined && arrivalsPerSecond === undefined) {
    throw new OptionError("suggestPoolSize.cores", cores, "given, unless the load is");
  }
  const byCores = cores === undefined ? undefined : coresShare(cores, known, instances, why);
  const byLoad =
    arrivalsPerSecond === undefined
      ? undefined
      : loadShare(arrivalsPerSecond, serviceTimeMs ?? 0, known, instances, why);
  const limit = maxConnections === undefined ? undefined : limitShare(maxConnections, known, instances, why);
  const size = Math.max(1, Math.min(byCores ?? Infinity, byLoad ?? Infinity, limit ?? Infinity));
  why.push(conclusion(size, { byCores, byLoad, limit }));
  return Object.freeze({ size, byCores, byLoad, limit, why: Object.freeze(why) });
}

/** What has a default; every input is checked, also one that the others make no use of. */
interface Known {
  readonly spindles: number;
  readonly utilisation: number;
  readonly reserved: number;
}

function checked(inputs: PoolSizeInputs, instances: number): Known {
  const { cores, arrivalsPerSecond, serviceTimeMs, maxConnections } = inputs;
  if (cores !== undefined) positiveInteger("suggestPoolSize.cores", cores);
  if (arrivalsPerSecond !== undefined) atLeast("suggestPoolSize.arrivalsPerSecond", arrivalsPerSecond, 0);
  if (serviceTimeMs !== undefined) atLeast("suggestPoolSize.serviceTimeMs", serviceTimeMs, 0);
  if (maxConnections !== undefined) positiveInteger("suggestPoolSize.maxConnections", maxConnections);
  return {
    spindles: atLeast("suggestPoolSize.spindles", inputs.spindles ?? 1, 0),
    utilisation: ratio("suggestPoolSize.targetUtilisation", inputs.targetUtilisation ?? 0.7),
    reserved: nonNegativeInteger("suggestPoolSize.reserved", inputs.reserved ?? SUPERUSER_RESERVED + instances),
  };
}

function coresShare(cores: number, { spindles }: Known, instances: number, why: string[]): number {
  const all = Math.round(cores * 2 + spindles);
  const share = Math.max(1, Math.floor(all / instances));
  why.push(`by cores: ${cores} cores * 2 + ${spindles} spindles = ${all} for the server${shared(share, instances)}`);
  if (all < instances)
    why.push(`${instances} pools of one connection are more than the server works on best: put a pooler between`);
  return share;
}

function loadShare(
  arrivals: number,
  serviceMs: number,
  { utilisation }: Known,
  instances: number,
  why: string[],
): number {
  const busy = (arrivals * serviceMs) / 1_000;
  const all = busy / utilisation;
  const share = Math.max(1, wholeAbove(all / instances));
  const needed = `${shown(busy)} busy, / ${utilisation} = ${shown(all)} for the load`;
  why.push(`by load: ${arrivals}/s * ${serviceMs} ms = ${needed}${shared(share, instances)}`);
  return share;
}

function limitShare(maxConnections: number, { reserved }: Known, instances: number, why: string[]): number {
  const share = Math.floor((maxConnections - reserved) / instances);
  if (share < 1) {
    const least = `at least ${reserved + instances}: one for each of ${instances} pools, and ${reserved} reserved`;
    throw new OptionError("suggestPoolSize.maxConnections", maxConnections, least);
  }
  why.push(
    `limit: ${maxConnections} allowed - ${reserved} reserved = ${maxConnections - reserved}${shared(share, instances)}`,
  );
  return share;
}

function conclusion(size: number, { byCores, byLoad, limit }: Omit<PoolSize, "size" | "why">): string {
  if (byLoad === size) return `${size}: the load needs no more`;
  const short =
    byLoad === undefined ? "" : `; the load needs ${byLoad}: shorten the calls, send fewer, or expect a queue`;
  if (limit === size && (byCores === undefined || byCores > size)) return `${size}: the server allows no more${short}`;
  return `${size}: with more, the cores would only share the work among more connections${short}`;
}

const shared = (share: number, instances: number): string =>
  instances === 1 ? "" : `, ${share} for each of ${instances}`;
const shown = (value: number): string => String(Math.round(value * 100) / 100);

/** The next whole number, but for what the division of binary fractions has left over. */
const wholeAbove = (value: number): number => Math.ceil(value - value * 1e-12);
