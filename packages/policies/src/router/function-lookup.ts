/**
 * What the catalog says of functions that are not built in: asked once, beside the calls, which never wait for it.
 */
import type { Clock, Connection, Dialect, FunctionCatalog } from "@breakwater/core";

/** How long an answer holds, in milliseconds. Until then a function that was made volatile is refused by the replica. */
const HOLDS_MS = 60_000;
/** Most functions that are known. */
const MAX_KNOWN = 10_000;
/** Most functions that one question asks for. */
const MAX_ASKED = 100;
/** Pause after a question that failed, in milliseconds. */
const PAUSE_MS = 1_000;

export class FunctionLookup {
  readonly ask: <T>(question: (connection: Connection) => Promise<T>) => Promise<T>;
  readonly #catalog: FunctionCatalog;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly harmless: boolean; readonly until: number }>();
  readonly #wanted = new Set<string>();
  // What the question that is on its way asks for.
  #asked = new Set<string>();
  #notBefore = 0;

  constructor(catalog: FunctionCatalog, clock: Clock, ask: FunctionLookup["ask"]) {
    this.#catalog = catalog;
    this.#clock = clock;
    this.ask = ask;
  }

  /** Whether a text that was taken for a write is known to be a read. What is not known is asked for. */
  harmless({ functions }: Dialect, text: string): boolean {
    const names = functions?.undecided(text) ?? [];
    if (names.length === 0) return false;
    const now = this.#clock.now();
    let harmless = true;
    for (const name of names) {
      const known = this.#known.get(name);
      // An answer that is too old still holds until the next one is there: the replica would refuse what has changed.
      if (known === undefined || known.until <= now) this.#want(name, now);
      if (known?.harmless !== true) harmless = false;
    }
    return harmless;
  }

  #want(name: string, now: number): void {
    if (this.#wanted.size < MAX_ASKED && !this.#asked.has(name)) this.#wanted.add(name);
    if (this.#asked.size > 0 || now < this.#notBefore) return;
    this.#asked = new Set(this.#wanted);
    this.#wanted.clear();
    void this.#look([...this.#asked]);
  }

  async #look(names: readonly string[]): Promise<void> {
    try {
      const harmless = await this.ask((connection) => this.#catalog.harmless(connection, names));
      const until = this.#clock.now() + HOLDS_MS;
      if (this.#known.size + names.length > MAX_KNOWN) this.#known.clear();
      for (const name of names) this.#known.set(name, { harmless: harmless.has(name), until });
    } catch {
      // Nobody waits for the answer: what is not known stays a write.
      this.#notBefore = this.#clock.now() + PAUSE_MS;
    }
    this.#asked = new Set();
  }
}
