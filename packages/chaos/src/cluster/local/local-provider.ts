/** Servers as processes of this machine, from the embedded binaries or from a folder of system binaries. */
import { setupError } from "../../errors.ts";
import { within } from "../../wait.ts";
import type { CheckedOptions } from "../options.ts";
import type { Provider } from "../provider.ts";
import { type Binaries, findBinaries } from "./binaries.ts";
import { newFolder, runtimeFolder } from "./folder.ts";
import { freePort } from "./ports.ts";
import { Reaper } from "./reaper.ts";
import { LocalServer } from "./server.ts";
import { copyTree, personalise, template } from "./template.ts";

/** Lays out the data directories; starts nothing but the reaper. Leaves nothing behind when it fails. */
export async function localProvider(options: CheckedOptions): Promise<Provider> {
  if (process.platform === "win32") throw setupError("servers cannot be run on Windows yet");
  const reaper = await Reaper.start();
  try {
    const runtime = runtimeFolder();
    const binaries = await findBinaries(options.binaries, runtime, reaper);
    const empty = await template(binaries, runtime, reaper);
    const folder = newFolder(runtime, "cluster-");
    await reaper.keep(folder);

    const ports = new Set<number>();
    const hosts: LocalServer[] = [];
    for (let number = 1; number <= options.replicas + 1; number++) {
      const port = await freePort(ports);
      ports.add(port);
      const { settings, password } = options;
      hosts.push(new LocalServer({ name: `n${number}`, port, folder, binaries, reaper, settings, password }));
    }
    await layOut(hosts, empty, binaries, options);
    const close = async (): Promise<void> => {
      await reaper.close();
      await within("the servers to end", Promise.all(hosts.map((host) => host.ended())));
    };
    return { hosts, close };
  } catch (error) {
    await reaper.close();
    throw error;
  }
}

/** Fills the data directories. Copies made before the first start share the system identifier: all are the same cluster. */
async function layOut(
  hosts: readonly LocalServer[],
  empty: string,
  binaries: Binaries,
  options: CheckedOptions,
): Promise<void> {
  const [first, ...others] = hosts;
  if (first === undefined) return;
  const fill = async (host: LocalServer, from: string): Promise<void> => {
    await copyTree(from, host.data);
    host.writeFiles();
  };
  if (options.password === undefined && Object.keys(options.settings).length === 0) {
    await Promise.all(hosts.map((host) => fill(host, empty)));
    return;
  }
  await fill(first, empty);
  first.configure({ upstreamPort: undefined, synchronousStandbys: "" });
  await personalise(binaries, first.data, options.password);
  await Promise.all(others.map((host) => fill(host, first.data)));
}
