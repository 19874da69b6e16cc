/**
 * One process of the simulated service: its own stack, in front of nodes that it shares with the other processes.
 */
import {
  checkLifecycle,
  compose,
  ConnectionStore,
  Database,
  driverPool,
  OptionError,
  policy,
  type Pool,
  type Random,
} from "@breakwater/core";
import type { SimulatedCluster } from "./cluster.ts";
import { simulated } from "./dialect.ts";
import { dice } from "./dice.ts";
import { openLink, type Way } from "./link.ts";
import type { SimulatedNode } from "./node.ts";
import type { Series } from "./series.ts";
import { ProcessClock, type VirtualClock } from "./virtual-clock.ts";

/** The pools that a stack is put around, each of one simulated server. */
export interface SimulatedNodes {
  /** The server that is the primary at the beginning. */
  readonly primary: Pool;
  /** The other servers. */
  readonly replicas: readonly Pool[];
}

/** What a stack is made of: policies that wait or draw must be given this clock and these dice. */
export interface SimulatedProcess {
  /** A pool to each server. */
  readonly nodes: SimulatedNodes;
  /** Virtual time, as this process reads it. */
  readonly clock: ProcessClock;
  /** Dice of this process alone: the same for the same seed. */
  readonly random: Random;
  /** Which of the processes it is, from 0. */
  readonly process: number;
}

/** Makes the stack of one process. */
export type StackFactory = (given: SimulatedProcess) => Pool | Database;

/** What a process needs of its simulation. */
export interface ProcessHome {
  readonly seed: number;
  readonly clock: VirtualClock;
  readonly cluster: SimulatedCluster;
  readonly series: Series;
  readonly poolMax: number;
  readonly latencyMs: number;
  readonly stack: StackFactory;
  /** False when so much has happened without any time passing that the run is given up. */
  goesOn(): boolean;
}

export class Process {
  readonly index: number;
  readonly clock: ProcessClock;
  readonly random: Random;
  readonly database: Database;
  /** Operations, not probes, that each node has begun to serve. */
  readonly given: Map<string, number> = new Map();
  readonly #ways: Way[] = [];

  constructor(index: number, home: ProcessHome) {
    this.index = index;
    this.clock = new ProcessClock(home.clock);
    this.random = dice(home.seed, `process ${index}`);
    const [primary, ...replicas] = home.cluster.nodes.map((node) => this.#pool(node, home));
    const { clock, random } = this;
    const stack = home.stack({ nodes: { primary: primary as Pool, replicas }, clock, random, process: index });
    this.database = faceOf(stack, clock);
  }

  /** Connections that are open or on their way. */
  get connections(): number {
    return this.#ways.reduce((sum, { open }) => sum + open.size, 0);
  }

  #pool(node: SimulatedNode, home: ProcessHome): Pool {
    const { clock, random } = this;
    const { series, latencyMs } = home;
    const way: Way = {
      node,
      clock: home.clock,
      random: dice(home.seed, `way ${this.index} ${node.name}`),
      latencyMs,
      open: new Set(),
    };
    this.#ways.push(way);
    const store = new ConnectionStore(
      {
        open: (connectionHome, givenUp) => {
          series.count(home.clock.now(), "connects");
          return openLink(way, connectionHome, givenUp);
        },
      },
      {
        ...checkLifecycle({ max: home.poolMax, random }),
        name: node.name,
        validationText: "ping",
        clock,
      },
    );
    const counted = policy("simulated", (operation, next) => {
      if (operation.purpose === "probe") return next(operation);
      if (!home.goesOn()) return new Promise(() => undefined);
      return next({
        ...operation,
        run: (connection, attempt) => {
          const now = home.clock.now();
          series.count(now, "attempts");
          if (operation.attempt > 1) series.count(now, "retries");
          this.given.set(node.name, (this.given.get(node.name) ?? 0) + 1);
          return operation.run(connection, attempt);
        },
      });
    });
    return compose(counted)(driverPool(store, simulated, { name: node.name, clock }));
  }
}

function faceOf(stack: Pool | Database, clock: ProcessClock): Database {
  if (stack instanceof Database) return stack;
  if (typeof stack?.execute !== "function")
    throw new OptionError("stack", stack, "a function that returns a pool or a Database");
  return new Database(stack, { clock });
}
