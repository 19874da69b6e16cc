/**
 * Who may ask. Browsers are the danger: a page of another site can send requests here, and by DNS rebinding can do so under a name
 * of its own. So names are checked on every request, and origins where something is done; nothing is ever allowed by a cookie.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { CheckedStatusOptions } from "./options.ts";

/** A refusal: status, and why. */
export interface Refusal {
  readonly status: number;
  readonly error: string;
}

/** What is looked at. Headers by their names in lower case. */
export interface Asked {
  readonly header: (name: string) => string | undefined;
  /** Names that the request was sent to: of its `Host` header, of its address. */
  readonly hosts: readonly string[];
  /** Address of whoever asks, where it is known. */
  readonly peer: string | undefined;
}

/** Decides for one handler. */
export class Access {
  readonly #options: CheckedStatusOptions;
  readonly #token: Buffer | undefined;

  constructor(options: CheckedStatusOptions) {
    this.#options = options;
    this.#token = options.token === undefined ? undefined : digest(options.token);
  }

  /** Why a request may not come in at all; undefined when it may. */
  enters({ header, hosts, peer }: Asked): Refusal | undefined {
    const { hosts: allowed } = this.#options;
    if (allowed === "any") return undefined;
    const isKnown = (host: string): boolean => isLoopbackName(host) || allowed?.has(host) === true;
    const names = hosts.map(nameOf);
    if (names.length === 0 || !names.every(isKnown)) return { status: 403, error: "this host name is not allowed" };
    const senders = [...(peer === undefined ? [] : [peer]), ...forwardedFor(header)];
    if (allowed === undefined && !senders.every(isLoopbackAddress))
      return { status: 403, error: "only from this machine, unless hosts are named" };
    return undefined;
  }

  reads(asked: Asked): Refusal | undefined {
    return this.#options.read === "anyone" ? undefined : this.#carriesToken(asked);
  }

  acts(asked: Asked): Refusal | undefined {
    if (this.#token === undefined) return { status: 403, error: "read only: no token was given to the handler" };
    const site = asked.header("sec-fetch-site");
    if (site !== undefined && site !== "same-origin" && site !== "none")
      return { status: 403, error: "not from another site" };
    const origin = asked.header("origin");
    if (origin !== undefined && !asked.hosts.includes(hostOf(origin)))
      return { status: 403, error: "not from another origin" };
    return this.#carriesToken(asked);
  }

  #carriesToken(asked: Asked): Refusal | undefined {
    const given = /^Bearer +(\S+)$/i.exec(asked.header("authorization") ?? "")?.[1];
    // Of equal length whatever was sent, and compared in a time that does not tell how much of it is right.
    if (given !== undefined && this.#token !== undefined && timingSafeEqual(digest(given), this.#token))
      return undefined;
    return { status: 401, error: given === undefined ? "a token is needed" : "the token is wrong" };
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** Host and port of an origin; empty for what is none, such as `null`. */
function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).host : "";
}

/** The name of a `Host` header: without port and final dot, in lower case. Empty for what is none. */
function nameOf(host: string): string {
  const name = /^(\[[0-9a-f:.]+\]|[^:/@\\\s]+)(?::\d+)?$/i.exec(host)?.[1] ?? "";
  return name.toLowerCase().replace(/\.$/, "");
}

/** For whom a proxy says that it asks (RFC 7239, and what was there before). Who asks can add to it, and not take away. */
function forwardedFor(header: Asked["header"]): readonly string[] {
  const named = [...(header("forwarded") ?? "").matchAll(/for *= *("[^"]*"|[^;,]*)/gi)].map(([, one = ""]) => one);
  const listed = ["x-forwarded-for", "x-real-ip"].flatMap((name) => header(name)?.split(",") ?? []);
  // With or without quotes, brackets and port.
  return [...named, ...listed].map((one) =>
    one
      .trim()
      .replace(/^"(.*)"$/, "$1")
      .replace(/^\[(.*)\](?::\d+)?$/, "$1")
      .replace(/^([\d.]+):\d+$/, "$1"),
  );
}

/** Names that lead to the machine that they are used on, whatever a name server says (RFC 6761, 6.3). */
export function isLoopbackName(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost") || name === "[::1]" || isLoopbackAddress(name);
}

/** Addresses of the machine itself (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3). */
function isLoopbackAddress(address: string): boolean {
  const v4 = address.replace(/^::ffff:/i, "");
  return address === "::1" || /^127\.(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){2}$/.test(v4);
}
