/**
 * Connections to a simulated server, as a driver: what is on its way takes time, and may get lost.
 */
import type {
  ConnectionHome,
  DriverConnection,
  QueryResult,
  Random,
  Statement,
  TransactionStatus,
} from "@breakwater/core";
import type { Backend, Reply } from "./backend.ts";
import { SimulatedError } from "./dialect.ts";
import { spread } from "./dice.ts";
import type { SimulatedNode } from "./node.ts";
import { commandsOf } from "./statement.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** The way from one process to one node. */
export interface Way {
  readonly node: SimulatedNode;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly latencyMs: number;
  /** Connections of this process to this node that are open or on their way. */
  readonly open: Set<object>;
}

/** Takes a message to the server. */
function there({ node, clock, random, latencyMs }: Way, deliver: () => void): void {
  clock.setTimer(spread(random, latencyMs), () => node.pass("requests", deliver));
}

/** Takes a message back. */
function back({ node, clock, random, latencyMs }: Way, deliver: () => void): void {
  node.pass("replies", () => clock.setTimer(spread(random, latencyMs), deliver));
}

/** Opens a connection. Rejects when the server refuses, or it is given up; hangs while nothing gets through. */
export function openLink(
  way: Way,
  home: ConnectionHome | undefined,
  givenUp: AbortSignal | undefined,
): Promise<DriverConnection> {
  return new Promise((resolve, reject) => {
    const link = new Link(way, home);
    way.open.add(link);
    const onGivenUp = (): void => {
      void link.destroy(false);
      reject(new SimulatedError("ECONNRESET", `connecting to ${way.node.name} was given up`));
    };
    givenUp?.addEventListener("abort", onGivenUp, { once: true });
    const settled = (settle: () => void): void => {
      givenUp?.removeEventListener("abort", onGivenUp);
      settle();
    };
    const failed = (code: string): void =>
      back(way, () => {
        way.open.delete(link);
        settled(() => reject(new SimulatedError(code, `could not connect to ${way.node.name}`)));
      });
    there(way, () =>
      way.node.connect(
        (code) => (link.backend === undefined ? failed(code) : link.ended(code)),
        (backend) => {
          link.backend = backend;
          // It was given up while it was on its way: nobody would ever end it.
          if (link.gone) way.node.leave(backend, false);
          else back(way, () => settled(() => resolve(link)));
        },
        failed,
      ),
    );
  });
}

class Link implements DriverConnection {
  readonly driver: object = {};
  readonly #way: Way;
  readonly #home: ConnectionHome | undefined;
  backend: Backend | undefined;
  transactionStatus: TransactionStatus = "idle";
  usable = true;
  /** This side has ended it. */
  gone = false;
  #pending: { readonly resolve: (answer: never) => void; readonly reject: (error: unknown) => void } | undefined;

  constructor(way: Way, home: ConnectionHome | undefined) {
    this.#way = way;
    this.#home = home;
  }

  query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    const { backend } = this;
    if (!this.usable || backend === undefined) return Promise.reject(this.#lostError("ECONNRESET"));
    if (this.#pending !== undefined) {
      return Promise.reject(new SimulatedError("08P01", "a statement was sent while another one ran"));
    }
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      const commands = commandsOf(statement);
      there(this.#way, () => {
        // What the client still had to send is lost with it.
        if (this.gone) return;
        this.#way.node.execute(backend, commands, (reply) => back(this.#way, () => this.#answered(reply)));
      });
    });
  }

  release(): void {
    if (this.#home === undefined || this.gone) return;
    this.#home.released(this);
  }

  destroy(cancel: boolean): Promise<void> {
    if (this.gone) return Promise.resolve();
    this.gone = true;
    this.usable = false;
    this.#way.open.delete(this);
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(this.#lostError("ECONNRESET"));
    this.#home?.gone(this);
    there(this.#way, () => this.backend !== undefined && this.#way.node.leave(this.backend, cancel));
    return Promise.resolve();
  }

  /** The server has ended the connection; the client hears of it when the message gets through. */
  ended(code: string): void {
    back(this.#way, () => {
      if (this.gone || !this.usable) return;
      this.usable = false;
      const error = this.#lostError(code);
      const pending = this.#pending;
      this.#pending = undefined;
      this.#way.open.delete(this);
      if (pending !== undefined) pending.reject(error);
      else this.#home?.lost(this, error);
    });
  }

  #answered({ answer, error, status }: Reply): void {
    const pending = this.#pending;
    if (this.gone || pending === undefined) return;
    this.#pending = undefined;
    this.transactionStatus = status;
    if (error === undefined) pending.resolve(answer as never);
    else pending.reject(error);
  }

  #lostError(code: string): SimulatedError {
    return new SimulatedError(code, `the connection to ${this.#way.node.name} was lost`);
  }
}
