/**
 * Nodes by name: every address of a host, or every target of a service record.
 *
 * The resolver's own lifetimes are not asked for: names of managed databases change their target within seconds, and what
 * a node is the router observes anyway.
 */
import { nonNegativeMs, OptionError, positiveMs, text } from "@breakwater/core";
import { promises as resolver } from "node:dns";
import { type NodeDescription, polling, type PollingOptions, type TopologySource } from "./source.ts";

export interface DnsSourceOptions extends PollingOptions {
  /** A host, each of whose addresses is a node (A and AAAA), or a service such as `_postgresql._tcp.db.internal` (SRV). */
  readonly name: string;
  /** Port of the nodes of a host; a service names its own. @default 5432 */
  readonly port?: number;
  /** Pause between two look-ups, in milliseconds, above 0. @default 5000 */
  readonly refreshMs?: number;
  /** Asks the names; for tests and for resolvers of one's own. @default node:dns */
  readonly resolver?: DnsResolver;
}

/** The part of `node:dns` that is used. */
export interface DnsResolver {
  /** Finds the addresses of a name. */
  lookup(name: string, options: { readonly all: true }): Promise<readonly { readonly address: string }[]>;
  /** Finds the SRV records of a name. */
  resolveSrv(
    name: string,
  ): Promise<readonly { readonly name: string; readonly port: number; readonly weight: number }[]>;
}

/**
 * Makes a source of a name. A service's weights become the nodes' weights; its priorities are not used.
 * @throws OptionError when an option is out of range.
 */
export function dnsSource(options: DnsSourceOptions): TopologySource {
  const { port = 5_432, resolver: asked = resolver, clock } = options;
  const name = text("dnsSource.name", options.name);
  const refreshMs = positiveMs("dnsSource.refreshMs", options.refreshMs ?? 5_000);
  if (nonNegativeMs("dnsSource.port", port) > 65_535) throw new OptionError("dnsSource.port", port, "a port");
  const list = name.startsWith("_") ? () => services(asked, name) : () => addresses(asked, name, port);
  return polling(list, refreshMs, clock);
}

async function addresses(asked: DnsResolver, name: string, port: number): Promise<readonly NodeDescription[]> {
  const found = await asked.lookup(name, { all: true });
  return found.map(({ address: host }) => ({ name: `${host.includes(":") ? `[${host}]` : host}:${port}`, host, port }));
}

async function services(asked: DnsResolver, name: string): Promise<readonly NodeDescription[]> {
  const found = await asked.resolveSrv(name);
  return found.map(({ name: host, port, weight }) => ({
    name: `${host}:${port}`,
    host,
    port,
    // A weight of 0 is "of no interest to choose by" (RFC 2782); a node without any share would be none.
    weight: Math.max(1, weight),
  }));
}
