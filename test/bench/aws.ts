/**
 * AWS's wrapper as a peer, where somebody has installed it: it needs the AWS SDK even for a database elsewhere, a hundred
 * packages, which is too much for one row of a table.
 */
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

/** The little of the wrapper that is measured. */
interface Wrapper {
  readonly AwsPgPoolClient: new (
    config: Readonly<Record<string, unknown>>,
    pool: object,
  ) => {
    query(text: string, values: unknown[]): Promise<unknown>;
    end(): Promise<void>;
  };
  readonly AwsPoolConfig: new (options: { readonly maxConnections: number }) => object;
  readonly PluginManager: { releaseResources(): Promise<void> };
}

/** The folder in whose node_modules it lies. */
const FOLDER = "BREAKWATER_BENCH_PEERS";
const PACKAGES = ["aws-advanced-nodejs-wrapper", "pg", "@aws-sdk/credential-providers", "@aws-sdk/rds-signer"];

/** How it gets into the tables. */
export const HOW_TO_MEASURE_AWS = `\`npm install ${PACKAGES.join(" ")}\` in a folder, and name that folder in \`${FOLDER}\``;

/** Its pool without plugins; undefined where it is not installed. */
export async function awsPool(url: string, maxConnections: number): Promise<AwsPool | undefined> {
  const folder = process.env[FOLDER];
  if (folder === undefined) return undefined;
  const { resolve } = createRequire(path.resolve(folder, "from"));
  const load = async (name: string): Promise<Partial<Wrapper>> => import(pathToFileURL(resolve(name)).href);
  const name = "aws-advanced-nodejs-wrapper";
  const { AwsPgPoolClient, AwsPoolConfig, PluginManager } = {
    ...(await load(name)),
    ...(await load(`${name}/pg`)),
  } as Wrapper;
  const { hostname: host, port, username: user, password, pathname } = new URL(url);
  const config = { host, port: Number(port), user, password, database: pathname.slice(1), plugins: "" };
  const pool = new AwsPgPoolClient(config, new AwsPoolConfig({ maxConnections }));
  return {
    query: (text, values) => pool.query(text, values),
    close: async () => {
      await pool.end();
      await PluginManager.releaseResources();
    },
  };
}

interface AwsPool {
  readonly query: (text: string, values: unknown[]) => Promise<unknown>;
  readonly close: () => Promise<void>;
}
