/**
 * Who waits for a permit, who is next, and who has to make room. Knows no time and no limits.
 *
 * One line for each priority, served from the top and shed from the bottom. In a line each tenant has a lane, and lanes
 * take turns (round robin, as the fair queueing of Nagle, RFC 970); room is made at the expense of the longest lane.
 */
import { Chain, Heap, type Linked } from "./order.ts";

/** What the queue knows of a waiter. */
export interface Place<Item> extends Linked<Item> {
  /** From 0, which is served first, to 2. */
  readonly rank: number;
  /** Whose turn it takes; undefined where all are one. */
  readonly tenant: string | undefined;
  /** When it came, in milliseconds of the clock. */
  readonly sinceMs: number;
  /** When it is of no more use to be served, in milliseconds of the clock; `Infinity` is never. */
  readonly expiresAtMs: number;
  /** Where it stands in the heap of expiries. */
  place: number;
}

/** The waiters of one tenant. */
class Lane<Item extends Place<Item>> implements Linked<Lane<Item>> {
  before: Lane<Item> | undefined;
  after: Lane<Item> | undefined;
  place = 0;
  readonly waiters = new Chain<Item>();
}

/** The waiters of one priority. */
class Line<Item extends Place<Item>> {
  readonly #lanes = new Map<string | undefined, Lane<Item>>();
  readonly #turns = new Chain<Lane<Item>>();
  readonly #longest = new Heap<Lane<Item>>((a, b) => a.waiters.size > b.waiters.size);
  size = 0;
  /** When it was last empty. */
  sinceMs = 0;

  add(item: Item): void {
    if (this.size === 0) this.sinceMs = item.sinceMs;
    let lane = this.#lanes.get(item.tenant);
    if (lane === undefined) {
      lane = new Lane();
      this.#lanes.set(item.tenant, lane);
      this.#turns.push(lane);
      this.#longest.push(lane);
    }
    lane.waiters.push(item);
    this.#longest.moved(lane);
    this.size++;
  }

  remove(item: Item): void {
    const lane = this.#lanes.get(item.tenant)!;
    lane.waiters.remove(item);
    this.size--;
    if (lane.waiters.size > 0) return this.#longest.moved(lane);
    this.#lanes.delete(item.tenant);
    this.#turns.remove(lane);
    this.#longest.remove(lane);
  }

  /** Takes the next one out. */
  take(newestFirst: boolean): Item | undefined {
    const lane = this.#turns.first;
    if (lane === undefined) return undefined;
    const item = newestFirst ? lane.waiters.last! : lane.waiters.first!;
    this.#turns.remove(lane);
    this.#turns.push(lane);
    this.remove(item);
    return item;
  }

  /** Who would be served last. */
  last(newestFirst: boolean): Item | undefined {
    const waiters = this.#longest.first?.waiters;
    return newestFirst ? waiters?.first : waiters?.last;
  }

  /** How much longer the longest lane is than a tenant's. */
  lead(tenant: string | undefined): number {
    return (this.#longest.first?.waiters.size ?? 0) - (this.#lanes.get(tenant)?.waiters.size ?? 0);
  }
}

/** Whether, in the line of a rank, the youngest is served first. */
export type NewestFirst = (rank: number) => boolean;

/** All who wait. */
export class Queue<Item extends Place<Item>> {
  readonly #lines: readonly Line<Item>[] = [new Line<Item>(), new Line<Item>(), new Line<Item>()];
  readonly #expiries = new Heap<Item>((a, b) => a.expiresAtMs < b.expiresAtMs);
  size = 0;

  add(item: Item): void {
    this.#lines[item.rank]!.add(item);
    this.#expiries.push(item);
    this.size++;
  }

  /** Takes a waiter out that is in the queue. */
  remove(item: Item): void {
    this.#lines[item.rank]!.remove(item);
    this.#forget(item);
  }

  /** Takes the next one out: by priority, then by turn, then by age. */
  take(newestFirst: NewestFirst): Item | undefined {
    const rank = this.#lines.findIndex((line) => line.size > 0);
    const item = this.#lines[rank]?.take(newestFirst(rank));
    if (item !== undefined) this.#forget(item);
    return item;
  }

  /** Who expires first. */
  get soonest(): Item | undefined {
    return this.#expiries.first;
  }

  /** Who would be served last of all. */
  last(newestFirst: NewestFirst): Item | undefined {
    const rank = this.#lines.findLastIndex((line) => line.size > 0);
    return this.#lines[rank]?.last(newestFirst(rank));
  }

  /** Who must leave a full queue for a newcomer; undefined when the newcomer itself would be served last. */
  displacedBy(rank: number, tenant: string | undefined, newestFirst: NewestFirst): Item | undefined {
    const lowest = this.#lines.findLastIndex((line) => line.size > 0);
    if (lowest < rank) return undefined;
    const line = this.#lines[lowest]!;
    // Among equals a newcomer makes room where it is served first, or where its tenant has fewer waiters than another.
    const newest = newestFirst(lowest);
    const first = lowest > rank || newest || line.lead(tenant) > 1;
    return first ? line.last(newest) : undefined;
  }

  /** Since when someone of this rank has been waiting at every moment; undefined while nobody does. */
  since(rank: number): number | undefined {
    const line = this.#lines[rank];
    return line === undefined || line.size === 0 ? undefined : line.sinceMs;
  }

  /** How many wait, by rank. */
  get sizes(): readonly number[] {
    return this.#lines.map((line) => line.size);
  }

  #forget(item: Item): void {
    this.#expiries.remove(item);
    this.size--;
  }
}
