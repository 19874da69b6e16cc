/** What a status handler is told, checked. */
import {
  type Clock,
  type Database,
  knownOptions,
  oneOf,
  OptionError,
  positiveInteger,
  systemClock,
  text,
} from "@breakwater/core";

/** What is shown: a database, several by name, or several under their own names. */
export type StatusSource = Database | Readonly<Record<string, Database>> | readonly Database[];

/** Options of `statusHandler`. */
export interface StatusOptions {
  /** Where the page stands, as the server sees addresses, such as `/status`. @default "/" */
  readonly basePath?: string;
  /**
   * Names by which it is reached from elsewhere, without port, such as `status.internal`; or `any`, where whatever stands before it
   * checks names. Needs a `token`, or `read: "anyone"`. @default none: only from this machine, under `localhost` or an address of it
   */
  readonly hosts?: readonly string[] | "any";
  /**
   * Allows actions to whoever sends it, as `Authorization: Bearer …`; at least 16 characters of printable ASCII without spaces.
   * @default none: nothing can be changed
   */
  readonly token?: string;
  /** Who may read: `anyone` who gets there, or those with the `token`. @default "anyone"; with `hosts`, "token" */
  readonly read?: "anyone" | "token";
  /**
   * Events that are kept of each database: so many of those of single calls, and so many of all others; a whole number from 1
   * to 10000. @default 100
   */
  readonly maxEvents?: number;
  /** Source of the time, for lengths of time. @default systemClock */
  readonly clock?: Clock;
}

/** The same with every default filled in. */
export interface CheckedStatusOptions {
  readonly basePath: string;
  /** Undefined: this machine only. */
  readonly hosts: ReadonlySet<string> | "any" | undefined;
  readonly token: string | undefined;
  readonly read: "anyone" | "token";
  readonly maxEvents: number;
  readonly clock: Clock;
}

/** Names of all options, for those who add their own. */
export const STATUS_OPTIONS = ["basePath", "hosts", "token", "read", "maxEvents", "clock"] as const;

const MIN_TOKEN = 16;
const MAX_EVENTS = 10_000;
const HOST = /^(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])$/;
const PATH = /^\/(?:[\w.~-]+(?:\/[\w.~-]+)*\/?)?$/;

/** @throws OptionError when an option is unknown or out of range. */
export function checkStatusOptions(options: StatusOptions): CheckedStatusOptions {
  const own = "status";
  knownOptions(own, options, STATUS_OPTIONS);
  const { basePath = "/", hosts, token, maxEvents = 100, clock = systemClock } = options;
  if (typeof basePath !== "string" || !PATH.test(basePath) || /\/\.{1,2}(?:\/|$)/.test(basePath))
    throw new OptionError(`${own}.basePath`, basePath, 'a path such as "/status"');
  if (token !== undefined && (typeof token !== "string" || token.length < MIN_TOKEN || !/^[\x21-\x7e]+$/.test(token)))
    // Not the value: it is a secret.
    throw new OptionError(`${own}.token`, "…", `a text of at least ${MIN_TOKEN} printable characters, without spaces`);
  const read =
    options.read === undefined
      ? hosts === undefined
        ? "anyone"
        : "token"
      : oneOf(`${own}.read`, options.read, ["anyone", "token"]);
  if (read === "token" && token === undefined) {
    const [option, value] = options.read === undefined ? ["hosts", hosts] : ["read", read];
    throw new OptionError(`${own}.${option}`, value, 'together with a token, or with read: "anyone"');
  }
  const most = positiveInteger(`${own}.maxEvents`, maxEvents);
  if (most > MAX_EVENTS) throw new OptionError(`${own}.maxEvents`, most, `a whole number from 1 to ${MAX_EVENTS}`);
  if (typeof clock?.now !== "function") throw new OptionError(`${own}.clock`, clock, "a clock");
  return {
    basePath: basePath.replace(/\/$/, ""),
    hosts: checkHosts(`${own}.hosts`, hosts),
    token,
    read,
    maxEvents: most,
    clock,
  };
}

function checkHosts(option: string, hosts: StatusOptions["hosts"]): CheckedStatusOptions["hosts"] {
  if (hosts === undefined || hosts === "any") return hosts;
  if (!Array.isArray(hosts) || hosts.length === 0)
    throw new OptionError(option, hosts, '"any", or an array of at least one name');
  const names = hosts.map((host: unknown, index) => text(`${option}[${index}]`, host).toLowerCase());
  const wrong = names.find((name) => !HOST.test(name));
  if (wrong !== undefined) throw new OptionError(option, wrong, "names without port, such as status.internal or [::1]");
  return new Set(names);
}

/** The databases by name. @throws OptionError when there is none, or two have the same name. */
export function checkSource(source: StatusSource): ReadonlyMap<string, Database> {
  const found = new Map<string, Database>();
  const named: readonly (readonly [string, unknown])[] = isDatabase(source)
    ? [[source.pool.name, source]]
    : Array.isArray(source)
      ? source.map((each: unknown) => [isDatabase(each) ? each.pool.name : "", each])
      : Object.entries(typeof source === "object" && source !== null ? source : {});
  if (named.length === 0) throw new OptionError("status databases", source, "a Database, or at least one of them");
  for (const [name, db] of named) {
    if (!isDatabase(db)) throw new OptionError(`status database "${name}"`, db, "a Database");
    if (found.has(name))
      throw new OptionError("status databases", name, "databases of different names; { name: db } gives them some");
    found.set(name, db);
  }
  return found;
}

function isDatabase(value: unknown): value is Database {
  const db = value as Partial<Database> | null;
  return typeof db === "object" && db !== null && typeof db.stats === "function" && typeof db.pool === "object";
}
