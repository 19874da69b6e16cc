/** Somebody who uses the shop: asks its instances in turn, and brings along what was seen so far. */
export class Customer {
  readonly #urls: readonly string[];
  #turn: number;
  #seen = "";

  constructor(urls: readonly string[], turn: number) {
    this.#urls = urls;
    this.#turn = turn;
  }

  order(id: string, item: string): Promise<unknown> {
    return this.#ask("PUT", `orders/${id}`, item);
  }

  moveTo(name: string, address: string): Promise<unknown> {
    return this.#ask("PUT", `addresses/${name}`, address);
  }

  async address(name: string): Promise<string | null> {
    return (await this.#ask("GET", `addresses/${name}`)) as string | null;
  }

  /** @throws an error with the code that the shop gave: by it the history knows what was done, what not, and what is unknown. */
  async #ask(method: string, path: string, body?: string): Promise<unknown> {
    const url = this.#urls[this.#turn++ % this.#urls.length];
    const headers = { "x-seen": this.#seen };
    const response = await fetch(`${url}/${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
    const text = await response.text();
    if (!response.ok) {
      const { code } = JSON.parse(text) as { readonly code: string };
      throw Object.assign(new Error(`${method} ${path}: ${response.status} ${code}`), { code });
    }
    this.#seen = response.headers.get("x-seen") ?? this.#seen;
    return text === "" ? undefined : JSON.parse(text);
  }
}
