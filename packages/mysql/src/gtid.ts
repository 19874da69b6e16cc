/**
 * Global transaction ids as a place in a history: MariaDB's `domain-server-sequence`, MySQL's sets of ranges by server.
 */

/** A place in a history: how often it has changed its writer, in a way, and how far it has got. */
export interface GtidPlace {
  readonly timeline: number;
  readonly position: bigint;
}

/** One of MariaDB's ids. */
interface Gtid {
  readonly domain: number;
  readonly server: number;
  readonly sequence: bigint;
}

function parse(list: unknown): readonly Gtid[] {
  if (typeof list !== "string") return [];
  return list.split(",").flatMap((text) => {
    const match = /^\s*(\d{1,10})-(\d{1,10})-(\d{1,20})\s*$/.exec(text);
    return match === null
      ? []
      : [{ domain: Number(match[1]), server: Number(match[2]), sequence: BigInt(match[3] ?? 0) }];
  });
}

/**
 * The place of a node of MariaDB, by the last id that it has in a domain and by the last ids of all servers that ever wrote
 * there; undefined when it has none, or writers of several domains are at work.
 *
 * Sequence numbers grow along a domain, across failovers too. So the number at which the present writer took over, which
 * is the last of anybody else's, grows with each change of the writer and is the same on all nodes that have followed it:
 * a server that comes back with what nobody else has is left behind with an older one.
 *
 * @param writer the server that writes now, by its id: of a primary itself, also before its first write, since it has taken over
 * as soon as it may write. Undefined for a replica, which knows the writer by its last id.
 */
export function placeOf(last: unknown, everybody: unknown, writer?: unknown): GtidPlace | undefined {
  const [present, ...others] = parse(last);
  if (present === undefined || others.length > 0) return undefined;
  const writes = writer === undefined ? present.server : Number(writer);
  const takenOverAt = parse(everybody)
    .filter(({ domain, server, sequence }) => {
      return domain === present.domain && server !== writes && sequence <= present.sequence;
    })
    .reduce((most, { sequence }) => (sequence > most ? sequence : most), 0n);
  if (takenOverAt > MAX_TIMELINE) return undefined;
  return { timeline: Number(takenOverAt), position: present.sequence };
}

/** Timelines are numbers. */
const MAX_TIMELINE = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * How many transactions of each server a node of MySQL has without a gap, all together; undefined when that is not told.
 * A set such as `uuid:1-5:7,uuid:tag:1-3`: what stands behind a gap does not count, since the gap may be a write of ours.
 */
export function countOf(executed: unknown): bigint | undefined {
  if (typeof executed !== "string") return undefined;
  let count = 0n;
  for (const part of executed.split(",")) {
    for (const match of part.matchAll(/:\s*1(?:-(\d{1,20}))?(?=\s*(?::|$))/g)) count += BigInt(match[1] ?? 1);
  }
  return count;
}
