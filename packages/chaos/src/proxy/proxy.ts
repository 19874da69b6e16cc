/** A TCP proxy on the loopback interface that can do to a PostgreSQL connection what networks and servers do to it. */
import { createServer, type Server, type Socket } from "node:net";
import { integerIn, lineOf, numberIn, oneOf, onlyKnown, refusal } from "../check.ts";
import { setupError, stateError } from "../errors.ts";
import {
  checkCutBefore,
  checkDropReply,
  checkInject,
  checkSqlstate,
  type DropReplyOptions,
  type Fault,
  type FaultOptions,
  type InjectOptions,
  StatementFault,
  type Strike,
} from "./fault.ts";
import { type CutMode, Link, type LinkOwner } from "./link.ts";
import type { Direction } from "./pump.ts";
import { refuseWith } from "./refusal.ts";

export interface ProxyOptions {
  /** Port of the server on 127.0.0.1; 1 to 65535. */
  readonly target: number;
  /** Port to listen on; 0 to 65535. @default 0, any free one */
  readonly port?: number;
}

/**
 * How new connections are refused: `reset`, `fin` (ended at once), or with an error as PostgreSQL sends it (severity FATAL), for
 * example `{ sqlstate: "53300", message: "sorry, too many clients already" }`.
 */
export type RefuseMode = "reset" | "fin" | { readonly sqlstate: string; readonly message: string };

/**
 * A fixed address in front of one server. With no fault on, everything passes: bytes are forwarded as they come, back-pressure
 * and half-closed connections included. Faults on statements understand the protocol of PostgreSQL 3.x (simple and extended,
 * pipelined, COPY, cancel requests); after TLS or GSSAPI was agreed on, bytes can only pass, wait or be cut.
 *
 * While the server is not there, connections are accepted and then reset.
 */
export interface FaultProxy extends AsyncDisposable {
  /** TCP port on 127.0.0.1. */
  readonly port: number;
  /** Clients connected at this moment. */
  readonly connections: number;
  /** Delays everything that arrives from now on, in milliseconds, 0 to 60 000, each way. @default both directions */
  setLatency(ms: number, direction?: Direction): void;
  /**
   * Lets nothing pass any more, on connections old and new, without closing any. Nothing is lost: bytes, and ends of
   * connections, pass after {@link thaw}. @default both directions
   */
  freeze(direction?: Direction): void;
  /** Ends {@link freeze}. @default both directions */
  thaw(direction?: Direction): void;
  /** Turns new connections away; those that exist go on. */
  refuse(mode: RefuseMode): void;
  /** Ends {@link refuse}. */
  accept(): void;
  /** Cuts all connections. @default "reset" @returns how many. */
  cutAll(mode?: CutMode): number;
  /** Cuts one connection by a reset. @param random from 0 up to 1, picks it. @default Math.random @returns whether there was one. */
  cutOne(random?: () => number): boolean;
  /**
   * The server does it, the client never hears: a struck statement is forwarded, the answer is awaited and swallowed, then the
   * client's connection is reset. What the client sent after it in the same pipeline does not reach the server.
   */
  dropReply(options: DropReplyOptions): Fault;
  /** A struck statement never reaches the server: both sides of the connection are cut. */
  cutBefore(options: FaultOptions): Fault;
  /**
   * Answers a struck statement with an error instead of running it. A transaction that it was in has failed, for the server too.
   * In the server's log this appears as a syntax error, or an unknown portal, named `breakwater_injected_fault`.
   */
  inject(options: InjectOptions): Fault;
  /** Calls `listener` with the text of each statement before it is forwarded. @returns what ends that. */
  onStatement(listener: (text: string) => void): () => void;
  /** Ends all connections and the listener; idempotent. Afterwards every other method throws a ChaosError. */
  close(): Promise<void>;
}

/**
 * Starts a proxy on 127.0.0.1; resolves when it listens.
 *
 * @throws RangeError for an unknown option or a bad value; ChaosError when the port cannot be listened on.
 */
export async function startProxy(options: ProxyOptions): Promise<FaultProxy> {
  onlyKnown("startProxy", options, ["target", "port"]);
  const target = integerIn("target", options.target, 1, 65_535);
  const port = integerIn("port", options.port ?? 0, 0, 65_535);
  const proxy = new ListeningProxy(target);
  await proxy.listen(port);
  return proxy;
}

const both: readonly Direction[] = ["toServer", "toClient"];

class ListeningProxy implements FaultProxy, LinkOwner {
  readonly target: number;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  /** Being turned away. */
  readonly #refused = new Set<Socket>();
  readonly #listeners = new Set<(text: string) => void>();
  readonly #latency: Record<Direction, number> = { toServer: 0, toClient: 0 };
  readonly #frozen: Record<Direction, boolean> = { toServer: false, toClient: false };
  /** Asked in this order; the first that strikes decides. */
  #faults: readonly StatementFault[] = [];
  #refuse: RefuseMode | undefined;
  #port = 0;
  #closing: Promise<void> | undefined;

  constructor(target: number) {
    this.target = target;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#arrived(socket));
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return [...this.#links].filter((link) => link.open).length;
  }

  get watched(): boolean {
    return this.#faults.length > 0 || this.#listeners.size > 0;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error) =>
        reject(setupError(`cannot listen on port ${port}: ${error.message}`, error)),
      );
      this.#server.listen(port, "127.0.0.1", resolve);
    });
    // Such as no file descriptor left for one more connection: that client's trouble only.
    this.#server.on("error", () => {});
    const address = this.#server.address();
    this.#port = typeof address === "object" && address !== null ? address.port : port;
  }

  setLatency(ms: number, direction?: Direction): void {
    numberIn("ms", ms, 0, 60_000);
    for (const one of this.#ways(direction)) {
      this.#latency[one] = ms;
      for (const link of this.#links) link.setLatency(one, ms);
    }
  }

  freeze(direction?: Direction): void {
    for (const one of this.#ways(direction)) {
      this.#frozen[one] = true;
      for (const link of this.#links) link.freeze(one);
    }
  }

  thaw(direction?: Direction): void {
    for (const one of this.#ways(direction)) {
      this.#frozen[one] = false;
      for (const link of this.#links) link.thaw(one);
    }
  }

  refuse(mode: RefuseMode): void {
    this.#open();
    if (typeof mode === "object" && mode !== null) {
      onlyKnown("refuse", mode, ["sqlstate", "message"]);
      checkSqlstate(mode.sqlstate);
      lineOf("message", mode.message);
      this.#refuse = { ...mode };
    } else this.#refuse = oneOf("mode", mode, ["reset", "fin"]);
  }

  accept(): void {
    this.#open();
    this.#refuse = undefined;
  }

  cutAll(mode: CutMode = "reset"): number {
    this.#open();
    oneOf("mode", mode, ["reset", "fin"]);
    const links = [...this.#links].filter((link) => link.open);
    for (const link of links) link.cut(mode);
    return links.length;
  }

  cutOne(random: () => number = Math.random): boolean {
    this.#open();
    if (typeof random !== "function") throw refusal("random", random, "a function");
    const links = [...this.#links].filter((link) => link.open);
    const link = links[Math.min(Math.floor(random() * links.length), links.length - 1)];
    link?.cut("reset");
    return link !== undefined;
  }

  dropReply(options: DropReplyOptions): Fault {
    return this.#add(options, checkDropReply(options));
  }

  cutBefore(options: FaultOptions): Fault {
    return this.#add(options, checkCutBefore(options));
  }

  inject(options: InjectOptions): Fault {
    return this.#add(options, checkInject(options));
  }

  onStatement(listener: (text: string) => void): () => void {
    this.#open();
    if (typeof listener !== "function") throw refusal("listener", listener, "a function");
    const own = (text: string): void => listener(text);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  decide(text: string): Strike | undefined {
    for (const listener of this.#listeners) listener(text);
    return this.#faults.find((fault) => fault.strikes(text))?.strike;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#faults = [];
    this.#listeners.clear();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#refused) socket.destroy();
    const links = [...this.#links];
    for (const link of links) link.destroy();
    await Promise.all([closed, ...links.map((link) => link.closed)]);
  }

  #arrived(socket: Socket): void {
    const refuse = this.#refuse;
    if (refuse !== undefined || this.#closing !== undefined) {
      this.#refused.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.#refused.delete(socket));
      if (typeof refuse === "object") refuseWith(socket, { severity: "FATAL", ...refuse });
      else if (refuse === "fin") socket.destroySoon();
      else socket.resetAndDestroy();
      return;
    }
    const link = new Link(socket, this);
    this.#links.add(link);
    void link.closed.then(() => this.#links.delete(link));
    for (const direction of both) {
      link.setLatency(direction, this.#latency[direction]);
      if (this.#frozen[direction]) link.freeze(direction);
    }
    if (!this.#frozen.toServer) link.connect();
  }

  #add(options: FaultOptions, strike: Strike): Fault {
    this.#open();
    // A list is never changed while it is asked: a fault may end itself by its last strike.
    const fault = new StatementFault({ ...options }, strike, (one) => {
      this.#faults = this.#faults.filter((other) => other !== one);
    });
    this.#faults = [...this.#faults, fault];
    return fault;
  }

  #ways(direction: Direction | undefined): readonly Direction[] {
    this.#open();
    return direction === undefined ? both : [oneOf("direction", direction, both)];
  }

  #open(): void {
    if (this.#closing !== undefined) throw stateError(`the proxy on port ${this.#port} is closed`);
  }
}
