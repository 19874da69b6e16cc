/** Where the connection strings lead. What is wrong with one is told without it, since it may hold a password. */
import type { PgConfig } from "@breakwater/pg";
import pg from "pg";
import { environmentSource } from "../../environment.ts";
import { UsageError } from "../usage.ts";
import type { Address } from "./facts.ts";

/** A node that is to be examined. */
export interface Target {
  readonly address: Address;
  readonly config: PgConfig;
  /** Must not be seen in any output. */
  readonly secrets: readonly string[];
}

/** A connection string as the command line has it. */
export interface Given {
  readonly dsn: string;
  readonly expected: Address["expected"];
}

type Environment = Readonly<Record<string, string | undefined>>;

const EXPECTED = 'expected one such as "postgres://user@host:5432/database"';

/** Without any, the one of the environment. @throws UsageError when there is none there either, or one leads nowhere. */
export function targetsOf(given: readonly Given[], environment: Environment = process.env): Target[] {
  if (given.length === 0) return [fromEnvironment(environment)];
  const targets = given.map(({ dsn, expected }, at) => {
    const where = given.length === 1 ? "the connection string" : `connection string ${at + 1}`;
    return targetOf(where, readable(where, dsn), expected);
  });
  return targets.map((target, at) => numbered(target, targets.slice(0, at)));
}

function fromEnvironment(environment: Environment): Target {
  const source = environmentSource(environment);
  if (typeof source === "string") return targetOf("DATABASE_URL", readable("DATABASE_URL", source), undefined);
  if (environment["PGHOST"] === undefined && environment["PGPORT"] === undefined)
    throw new UsageError("doctor needs a connection string, or DATABASE_URL or PGHOST in the environment");
  return targetOf("the environment", source as PgConfig, undefined);
}

/** @throws UsageError when a text is no connection string, or one that may be read in two ways. */
function readable(where: string, dsn: string): PgConfig {
  if (/^(?:mysql|mariadb):/i.test(dsn))
    throw new UsageError(`${where} leads to MySQL or MariaDB; doctor examines PostgreSQL only`);
  if (!/^(?:postgres|postgresql):\/\/|^socket:|^\//.test(dsn))
    throw new UsageError(`${where} cannot be read: ${EXPECTED}`);
  const [, authority = "", rest = ""] = /^[a-z]+:\/\/([^/?#]*)(.*)$/is.exec(dsn) ?? [];
  const query = rest.includes("?") ? rest.slice(rest.indexOf("?") + 1) : "";
  const place = rest.slice(0, rest.length - query.length);
  // A password with one of these ends the address too early, and a part of it would be taken for the host or database.
  const odd = dsn.includes("#") || place.includes("@") || (query !== "" && !/^(?:[\w.-]+=[^&]*(?:&|$))*$/.test(query));
  if (odd || authority.split("@").length > 2) {
    throw new UsageError(
      `${where} cannot be read: in user and password, write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23`,
    );
  }
  // libpq takes several hosts in one, pg would take them for one name.
  if (authority.slice(authority.indexOf("@") + 1).includes(","))
    throw new UsageError(`${where} names several hosts: give one connection string for each`);
  return { connectionString: dsn };
}

function targetOf(where: string, config: PgConfig, expected: Address["expected"]): Target {
  try {
    const { host, port, user, database, password } = new pg.Client(config as pg.ClientConfig);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error("no port");
    const secrets = typeof password === "string" && password !== "" ? [password, encodeURIComponent(password)] : [];
    const name = `${host}:${port}/${database ?? ""}`;
    return { address: { name, host, user: user ?? "", database: database ?? "", expected }, config, secrets };
  } catch (error) {
    const { code, path } = error as { readonly code?: unknown; readonly path?: unknown };
    // Certificates are read from files that the connection string names.
    if (typeof path === "string") throw new UsageError(`${where}: ${path} cannot be read (${String(code)})`);
    throw new UsageError(`${where} cannot be read: ${EXPECTED}`);
  }
}

/** Two may lead to one place, by different users. */
function numbered(target: Target, before: readonly Target[]): Target {
  const same = before.filter(({ address }) => address.name === target.address.name).length;
  if (same === 0) return target;
  return { ...target, address: { ...target.address, name: `${target.address.name} (${same + 1})` } };
}
