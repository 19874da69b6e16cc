/** What `breakwater top` is told. */
import { parseArgs } from "node:util";
import { parsedBy, UsageError } from "../usage.ts";

export interface TopArguments {
  /** Where `status.json` is; undefined only beside `help`. */
  readonly url: URL | undefined;
  readonly token: string | undefined;
  readonly intervalMs: number;
  readonly once: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

const MIN_SECONDS = 0.1;
const MAX_SECONDS = 3_600;

/** @throws UsageError naming the option. */
export function topArguments(
  given: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): TopArguments {
  const { values, positionals } = parsedBy(parse, given);
  const [address, ...rest] = positionals;
  const help = values.help ?? false;
  if (!help && (address === undefined || rest.length > 0))
    throw new UsageError("top needs one address, such as http://127.0.0.1:9464; see breakwater top --help");
  const token = values.token ?? environment["BREAKWATER_STATUS_TOKEN"];
  // The value is not shown: it is a secret.
  if (token !== undefined && !/^[\x21-\x7e]*$/.test(token))
    throw new UsageError("--token must be printable characters, without spaces");
  return {
    url: address === undefined ? undefined : statusUrl(address),
    token: token === "" ? undefined : token,
    intervalMs: values.interval === undefined ? 1_000 : seconds("--interval", values.interval) * 1_000,
    once: values.once ?? false,
    json: values.json ?? false,
    help,
  };
}

/** The address of `status.json` for that of the page, or its own. @throws UsageError */
export function statusUrl(given: string): URL {
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `http://${given}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new UsageError("the address must be one of http or https, such as http://127.0.0.1:9464/status");
  if (url.username !== "" || url.password !== "")
    throw new UsageError("the address must not hold a password; --token is for that");
  if (!url.pathname.endsWith("/status.json")) url.pathname = `${url.pathname.replace(/\/$/, "")}/status.json`;
  url.hash = "";
  return url;
}

function seconds(name: string, given: string): number {
  const value = /^\d*\.?\d+$/.test(given) ? Number(given) : Number.NaN;
  if (value >= MIN_SECONDS && value <= MAX_SECONDS) return value;
  throw new UsageError(`${name} must be seconds from ${MIN_SECONDS} to ${MAX_SECONDS}, got "${given}"`);
}

// oxlint-disable-next-line typescript/explicit-function-return-type -- the options say what comes back
function parse(args: string[]) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      token: { type: "string" },
      interval: { type: "string", short: "i" },
      once: { type: "boolean" },
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
}
