/**
 * What one connection has prepared: under which name, and what it knows of the answers.
 */
import type { Plan } from "./plan.ts";
import type { TextInfo } from "./texts.ts";

/** Most statements that are kept prepared on one connection. */
const MAX_PREPARED = 250;

/** One statement that the server knows by name. */
export class Prepared {
  readonly name: string;
  readonly generation: number;
  /** The server has said that it knows it. */
  confirmed = false;
  /** Undefined until the first answer has come. */
  plan: Plan | undefined;
  /** The server's own words that the plan was made of. */
  description: Buffer | undefined;
  /** When it was last used, in statements of its connection. */
  usedAt = 0;

  constructor(name: string, generation: number) {
    this.name = name;
    this.generation = generation;
  }
}

/** The statements of one connection. The one that was used least lately makes room for a new one. */
export class PreparedStatements {
  #known = new Map<TextInfo, Prepared>();
  readonly #prefix = `breakwater_${Math.random().toString(36).slice(2, 8)}_`;
  #names = 0;
  #uses = 0;

  /** What is prepared of a text and still of use. */
  find(info: TextInfo): Prepared | undefined {
    const known = this.#known.get(info);
    if (known === undefined || known.generation !== info.generation) return undefined;
    known.usedAt = this.#uses++;
    return known;
  }

  /** A name for a text; and the names that the server is to forget. */
  add(info: TextInfo): { readonly prepared: Prepared; readonly closed: readonly string[] } {
    const closed: string[] = [];
    const stale = this.#known.get(info);
    if (stale !== undefined) closed.push(stale.name);
    else if (this.#known.size >= MAX_PREPARED) closed.push(this.#leastUsed());
    // Never used twice, nor by another connection: a name that the server has lost, or kept without our knowing, does no
    // harm, and behind a pooler that mixes up servers it is nobody else's.
    const prepared = new Prepared(`${this.#prefix}${(this.#names += 1)}`, info.generation);
    prepared.usedAt = this.#uses++;
    this.#known.set(info, prepared);
    return { prepared, closed };
  }

  /** The statement was not prepared, or is no more. */
  drop(info: TextInfo, prepared: Prepared): void {
    if (this.#known.get(info) === prepared) this.#known.delete(info);
  }

  /** The server has forgotten all of them. */
  clear(): void {
    this.#known.clear();
  }

  #leastUsed(): string {
    let least: [TextInfo, Prepared] | undefined;
    for (const entry of this.#known) if (least === undefined || entry[1].usedAt < least[1].usedAt) least = entry;
    const [info, { name }] = least as [TextInfo, Prepared];
    this.#known.delete(info);
    return name;
  }
}
