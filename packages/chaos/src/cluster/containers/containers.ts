/**
 * Servers in containers, of any image that has PostgreSQL and `sh`, such as the official ones. Needs `testcontainers` and a container
 * engine. Each server has a container and a port of its own; both stay the same while servers are killed and started again.
 */
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { GenericContainer, Network, type StartedNetwork, type StartedTestContainer, Wait } from "testcontainers";
import { lineOf, onlyKnown, refusal } from "../../check.ts";
import { setupError } from "../../errors.ts";
import { freePort } from "../local/ports.ts";
import type { CheckedOptions } from "../options.ts";
import type { Provider, ProviderFactory } from "../provider.ts";
import { ContainerServer } from "./container-server.ts";
import { DATA, FOLDER, INITIALISES, WAITS } from "./shell.ts";

export interface ContainersOptions {
  /** Image with PostgreSQL 12 or later, such as `postgres:17`. What the machine has is not fetched again. */
  readonly image: string;
  /** Longest wait for one container, in milliseconds, above 0; fetching the image counts. @default 120000 */
  readonly startLimitMs?: number;
}

/**
 * A provider for `startCluster({ provider: containers({ image: "postgres:17" }) })`.
 *
 * Container engines publish ports on every interface, so the servers always ask for a password: a random one unless the cluster
 * has one. When this process is killed, the containers are removed by testcontainers' own reaper.
 *
 * @throws RangeError when an option is unknown or out of range.
 */
export function containers(options: ContainersOptions): ProviderFactory {
  onlyKnown("containers", options, ["image", "startLimitMs"]);
  const image = lineOf("image", options.image);
  if (image === "") throw refusal("image", image, 'the name of an image, such as "postgres:17"');
  const { startLimitMs = 120_000 } = options;
  if (!(startLimitMs > 0)) throw refusal("startLimitMs", startLimitMs, "a number above 0");
  return (cluster) => provide(image, startLimitMs, cluster);
}

async function provide(image: string, startLimitMs: number, options: CheckedOptions): Promise<Provider> {
  if (options.binaries !== undefined) throw refusal("binaries", options.binaries, "left out: the image has its own");
  const network = await engine("a network", () => new Network().start());
  const started: StartedTestContainer[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(started.map((container) => container.stop({ timeout: 0, removeVolumes: true })));
    await network.stop();
  };
  try {
    const password = options.password ?? randomBytes(18).toString("base64url");
    const ports = new Map<number, string>();
    for (let number = 1; number <= options.replicas + 1; number++) {
      ports.set(await freePort(new Set(ports.keys())), `n${number}`);
    }
    const hostOf = (port: number): string => ports.get(port) ?? "";
    const settled = await Promise.allSettled(
      [...ports].map(async ([port, name]) => {
        const container = await engine(`a container of ${image}`, () =>
          begin(image, startLimitMs, network, name, port),
        );
        // Also when another one cannot be started, so that it is removed.
        started.push(container);
        const { settings } = options;
        const host = new ContainerServer({
          name,
          container,
          host: container.getHost(),
          port,
          password,
          settings,
          hostOf,
        });
        return { container, host };
      }),
    );
    const made = settled.map((one) => {
      if (one.status === "rejected") throw one.reason;
      return one.value;
    });
    await layOut(
      made.map(({ container }) => container),
      password,
    );
    await Promise.all(made.map(({ host }) => host.writeFiles()));
    return { hosts: made.map(({ host }) => host), close };
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
}

function begin(
  image: string,
  startLimitMs: number,
  network: StartedNetwork,
  name: string,
  port: number,
): Promise<StartedTestContainer> {
  return (
    new GenericContainer(image)
      .withEntrypoint(["sh", "-c", WAITS])
      .withUser("root")
      .withNetwork(network)
      .withNetworkAliases(name)
      // The same number inside: what a replica says of its primary's port is then the port that everybody uses.
      .withExposedPorts({ container: port, host: port })
      .withWaitStrategy(Wait.forLogMessage("breakwater-ready"))
      .withStartupTimeout(startLimitMs)
      .start()
  );
}

/** Makes the first one's data, and copies it before its first start: all have the same system identifier then. */
async function layOut([first, ...others]: readonly StartedTestContainer[], password: string): Promise<void> {
  if (first === undefined) return;
  await run(first, INITIALISES, "postgres", { PGNEWPASSWORD: password });
  if (others.length === 0) return;
  const copy = await buffer(await first.copyArchiveFromContainer(DATA));
  await Promise.all(
    others.map(async (other) => {
      await other.copyArchiveToContainer(Readable.from(copy), FOLDER);
      await run(other, `chown -R postgres ${FOLDER} && chmod 700 ${DATA}`, "root");
    }),
  );
}

async function run(
  container: StartedTestContainer,
  script: string,
  user: string,
  env: Record<string, string> = {},
): Promise<void> {
  const { exitCode, output } = await container.exec(["sh", "-c", script], { user, env });
  if (exitCode !== 0) throw setupError(`a container's first command ended with ${exitCode}: ${output.trim()}`);
}

/** @throws ChaosError ERR_BREAKWATER_CHAOS_SETUP when the engine is not there or refuses. */
async function engine<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    // In the words of a server whose port is taken: another one is tried then.
    const taken = /port is already allocated/i.test(why) ? " (Address already in use)" : "";
    throw setupError(`cannot start ${what}: ${why}${taken}`, error);
  }
}
