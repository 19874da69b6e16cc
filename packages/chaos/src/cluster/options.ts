/** Options of a cluster and their checks. */
import { booleanOf, integerIn, lineOf, onlyKnown, refusal } from "../check.ts";
import { reservedSettings } from "./conf.ts";
import type { ProviderFactory } from "./provider.ts";

/** How many servers there are, and how they are set up. */
export interface ClusterOptions {
  /** Streaming replicas besides the primary; 0 to 8. @default 2 */
  readonly replicas?: number;
  /** Whether a commit waits for one of the replicas (`ANY 1`). @default false */
  readonly synchronous?: boolean;
  /**
   * Folder with `postgres` and `initdb`, for example `/usr/lib/postgresql/17/bin`.
   * @default the environment's BREAKWATER_PG_BIN, else the embedded package
   */
  readonly binaries?: string;
  /** Server settings by name, as in postgresql.conf, on every node. Those that the kit lives on are refused. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Password of `postgres`, asked by scram-sha-256 of every client; not empty. @default none is asked */
  readonly password?: string;
  /**
   * Where the servers run: `containers()` of `@breakwater/chaos/containers`, or `existing()`.
   * @default as processes of this machine
   */
  readonly provider?: ProviderFactory;
}

/** Options with their defaults filled in. */
export interface CheckedOptions {
  readonly replicas: number;
  readonly synchronous: boolean;
  readonly binaries: string | undefined;
  readonly settings: Readonly<Record<string, string>>;
  readonly password: string | undefined;
  readonly provider: ProviderFactory | undefined;
}

/** Whether a text could be the name of a server setting, an extension's included. */
export function isSettingName(name: string): boolean {
  return /^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/i.test(name);
}

/** @throws RangeError naming the option, the value and what is allowed. */
export function checkClusterOptions(options: ClusterOptions): CheckedOptions {
  onlyKnown("startCluster", options, ["replicas", "synchronous", "binaries", "settings", "password", "provider"]);
  const { replicas = 2, synchronous = false, settings = {}, password, provider } = options;
  // What the environment names is for this machine's own servers.
  const binaries = options.binaries ?? (provider === undefined ? process.env["BREAKWATER_PG_BIN"] : undefined);
  if (typeof settings !== "object" || settings === null) throw refusal("settings", settings, "an object of strings");
  for (const [name, value] of Object.entries(settings)) {
    if (!isSettingName(name)) throw refusal("settings", name, "names of server settings");
    if (reservedSettings.includes(name.toLowerCase()))
      throw new RangeError(`settings.${name} is set by the kit itself`);
    lineOf(`settings.${name}`, value);
  }
  // Its value is not shown: passwords do not belong into messages.
  // oxlint-disable-next-line no-control-regex -- NUL and line ends cannot be given to the server
  if (password !== undefined && (typeof password !== "string" || !/^[^\0\r\n]+$/.test(password))) {
    throw new RangeError("password must be a text of one line, not empty");
  }
  if (provider !== undefined && typeof provider !== "function") {
    throw refusal("provider", provider, "what containers() or existing() returns");
  }
  return {
    replicas: integerIn("replicas", replicas, 0, 8),
    synchronous: booleanOf("synchronous", synchronous),
    binaries: binaries === undefined || binaries === "" ? undefined : lineOf("binaries", binaries),
    settings,
    password,
    provider,
  };
}
