/**
 * The members of a Patroni cluster, from its REST interface (`GET /cluster`, Patroni 2.0 and later).
 *
 * Patroni says which nodes there are, long before a new one has replayed enough to be asked. Who leads is taken as a first
 * guess only: what counts is what the node itself answers.
 */
import { OptionError, positiveMs } from "@breakwater/core";
import { type NodeDescription, polling, type PollingOptions, type TopologySource } from "./source.ts";

export interface PatroniSourceOptions extends PollingOptions {
  /** Where the members' REST interfaces are, such as `http://10.0.0.1:8008`; at least one. The first that answers is believed. */
  readonly urls: readonly string[];
  /** Pause between two questions, in milliseconds, above 0. @default 2000 */
  readonly refreshMs?: number;
  /** Longest wait for one answer, in milliseconds. @default 1000 */
  readonly timeoutMs?: number;
  /** Asks a URL; for tests, proxies and certificates of one's own. @default the built-in `fetch` */
  readonly fetch?: (url: string, options: { readonly signal: AbortSignal }) => Promise<Response>;
}

interface Member {
  readonly name?: unknown;
  readonly role?: unknown;
  readonly state?: unknown;
  readonly host?: unknown;
  readonly port?: unknown;
  readonly tags?: { readonly noloadbalance?: unknown };
}

/** States of a member that can be connected to. */
const RUNNING: ReadonlySet<unknown> = new Set(["running", "streaming", "in archive recovery"]);
const LEADERS: ReadonlySet<unknown> = new Set(["leader", "master", "primary", "standby_leader"]);

/**
 * Makes a source of a Patroni cluster. Members that are stopped, starting or tagged `noloadbalance` are left out.
 * @throws OptionError when an option is out of range.
 */
export function patroniSource(options: PatroniSourceOptions): TopologySource {
  const { urls, fetch: ask = fetch, clock } = options;
  if (!Array.isArray(urls) || urls.length === 0 || !urls.every((url) => URL.canParse(String(url))))
    throw new OptionError("patroniSource.urls", urls, "an array of at least one URL");
  const timeoutMs = positiveMs("patroniSource.timeoutMs", options.timeoutMs ?? 1_000);
  const refreshMs = positiveMs("patroniSource.refreshMs", options.refreshMs ?? 2_000);
  const places = urls.map((url) => new URL("cluster", `${String(url).replace(/\/$/, "")}/`).href);

  const list = async (): Promise<readonly NodeDescription[]> => {
    let last: unknown;
    for (const place of places) {
      try {
        const answer = await ask(place, { signal: AbortSignal.timeout(timeoutMs) });
        const { members } = (await answer.json()) as { readonly members?: readonly Member[] };
        if (Array.isArray(members)) return (members as readonly Member[]).flatMap(described);
        last = new Error(`${place} did not answer with members`);
      } catch (error) {
        last = error;
      }
    }
    throw last;
  };
  return polling(list, refreshMs, clock);
}

function described({ name, role, state, host, port, tags }: Member): readonly NodeDescription[] {
  if (typeof name !== "string" || typeof host !== "string" || !RUNNING.has(state)) return [];
  const leads = LEADERS.has(role);
  if (!leads && tags?.noloadbalance === true) return [];
  return [{ name, host, port: Number(port ?? 5_432), role: leads ? "primary" : "replica" }];
}
