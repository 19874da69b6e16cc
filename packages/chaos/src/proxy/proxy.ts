/** A TCP proxy on the loopback interface that can do to a PostgreSQL connection what networks and servers do to it. */
import { createServer, type Server, type Socket } from "node:net";
import { booleanOf, integerIn, lineOf, numberIn, oneOf, onlyKnown, refusal } from "../check.ts";
import { setupError, stateError } from "../errors.ts";
import { checkRefuse, type DisturbOptions, Disturbances, type RefuseMode } from "./disturbance.ts";
import { checkFault, type Fault, type FaultOptions } from "./fault.ts";
import type { FaultProxy } from "./fault-proxy.ts";
import { Pretences } from "./hot-standby.ts";
import { type CutMode, Link, type LinkOwner } from "./link.ts";
import type { Direction } from "./pump.ts";
import { turnAway } from "./refusal.ts";
import { type Moment, Rules } from "./rules.ts";
import {
  checkDelayMessage,
  checkDropCommitReply,
  checkDropReply,
  checkInject,
  checkNotice,
  type DelayMessageOptions,
  type DropCommitReplyOptions,
  type DropReplyOptions,
  type InjectOptions,
  type NoticeOptions,
  type Strike,
} from "./strike.ts";

/** Where a proxy listens and what it stands in front of. */
export interface ProxyOptions {
  /** Port of the server, 1 to 65535. */
  readonly target: number;
  /** Where the server is. @default "127.0.0.1" */
  readonly targetHost?: string;
  /** Port to listen on, on 127.0.0.1; 0 to 65535. @default 0, any free one */
  readonly port?: number;
  /** What passes: `bytes` is any protocol, such as MySQL's, of which no statement is seen. @default "postgres" */
  readonly protocol?: "postgres" | "bytes";
}

/**
 * Starts a proxy on 127.0.0.1; resolves when it listens.
 *
 * @throws RangeError for an unknown option or a bad value; ChaosError when the port cannot be listened on.
 */
export async function startProxy(options: ProxyOptions): Promise<FaultProxy> {
  onlyKnown("startProxy", options, ["target", "targetHost", "port", "protocol"]);
  const target = integerIn("target", options.target, 1, 65_535);
  const host = lineOf("targetHost", options.targetHost ?? "127.0.0.1");
  const port = integerIn("port", options.port ?? 0, 0, 65_535);
  const protocol = oneOf("protocol", options.protocol ?? "postgres", ["postgres", "bytes"]);
  const proxy = new ListeningProxy({ host, port: target }, protocol === "postgres");
  await proxy.listen(port);
  return proxy;
}

const both: readonly Direction[] = ["toServer", "toClient"];

class ListeningProxy implements FaultProxy, LinkOwner {
  readonly target: { readonly host: string; readonly port: number };
  /** Whether statements can be seen. */
  readonly #reads: boolean;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  /** Being turned away. */
  readonly #refused = new Set<Socket>();
  readonly #rules: Rules;
  readonly #disturbances: Disturbances;
  /** What the setters have set. */
  readonly #set: Record<Direction, { latency?: Fault; freeze?: Fault }> = { toServer: {}, toClient: {} };
  #refusing: Fault | undefined;
  readonly #pretences: Pretences;
  #port = 0;
  #closing: Promise<void> | undefined;

  constructor(target: { readonly host: string; readonly port: number }, reads: boolean) {
    this.target = target;
    this.#reads = reads;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#arrived(socket));
    this.#rules = new Rules(() => (this.#opaque === 0 ? "" : `; ${this.#opaque} connected clients cannot be read`));
    this.#disturbances = new Disturbances(
      () => this.#forecast(),
      () => this.connections,
    );
    this.#pretences = new Pretences(() => [...this.#links].filter((link) => link.tellStandby()).length);
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#connected.length;
  }

  get watched(): boolean {
    return this.#rules.watched;
  }

  get standby(): boolean | undefined {
    return this.#pretences.standby;
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
      this.#set[one].latency?.off();
      this.#set[one].latency = this.#disturbances.add({ latencyMs: ms, direction: one });
    }
  }

  freeze(direction?: Direction): void {
    for (const one of this.#ways(direction)) {
      this.#set[one].freeze?.off();
      this.#set[one].freeze = this.#disturbances.add({ freeze: true, direction: one });
    }
  }

  thaw(direction?: Direction): void {
    for (const one of this.#ways(direction)) this.#set[one].freeze?.off();
  }

  refuse(mode: RefuseMode): void {
    this.#open();
    const checked = checkRefuse(mode);
    this.#refusing?.off();
    this.#refusing = this.#disturbances.add({ refuse: checked });
  }

  accept(): void {
    this.#open();
    this.#refusing?.off();
  }

  disturb(options: DisturbOptions): Fault {
    this.#open();
    return this.#disturbances.add(options);
  }

  cutAll(mode: CutMode = "reset"): number {
    this.#open();
    oneOf("mode", mode, ["reset", "fin"]);
    return this.#connected.map((link) => link.cut(mode)).length;
  }

  cutOne(random: () => number = Math.random): boolean {
    this.#open();
    if (typeof random !== "function") throw refusal("random", random, "a function");
    const links = this.#connected;
    const link = links[Math.min(Math.floor(random() * links.length), links.length - 1)];
    link?.cut("reset");
    return link !== undefined;
  }

  dropReply(options: DropReplyOptions): Fault {
    return this.#strike(options, checkDropReply(options));
  }

  dropCommitReply(options: DropCommitReplyOptions = {}): Fault {
    const { which, strike } = checkDropCommitReply(options);
    return this.#strike(which, strike);
  }

  cutBefore(options: FaultOptions): Fault {
    checkFault("cutBefore", options);
    return this.#strike(options, { kind: "cut-before" });
  }

  cutAfterParse(options: FaultOptions): Fault {
    checkFault("cutAfterParse", options);
    return this.#strike(options, { kind: "cut-after-parse" });
  }

  cutBeforeReady(options: FaultOptions): Fault {
    checkFault("cutBeforeReady", options);
    return this.#strike(options, { kind: "cut-before-ready" });
  }

  inject(options: InjectOptions): Fault {
    return this.#strike(options, checkInject(options));
  }

  notice(options: NoticeOptions): Fault {
    return this.#strike(options, checkNotice(options));
  }

  delayMessage(options: DelayMessageOptions): Fault {
    const what = checkDelayMessage(options);
    this.#legible();
    return this.#rules.addMessage(options, what);
  }

  pretendStandby(standby = true): Fault {
    booleanOf("standby", standby);
    this.#legible();
    return this.#pretences.add(standby);
  }

  onStatement(listener: (text: string) => void): () => void {
    this.#open();
    return this.#rules.listen(listener);
  }

  decide(text: string, moment: Moment): Strike | undefined {
    return this.#rules.decide(text, moment);
  }

  delayOf(direction: Direction, type: number): number {
    return this.#rules.delayOf(direction, type);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#refused) socket.destroy();
    // Before the faults end: what they hold back is not to pass now.
    const links = [...this.#links];
    for (const link of links) link.destroy();
    this.#rules.clear();
    this.#disturbances.clear();
    this.#pretences.clear();
    await Promise.all([closed, ...links.map((link) => link.closed)]);
  }

  get #connected(): readonly Link[] {
    return [...this.#links].filter((link) => link.open);
  }

  /** How many clients are connected whose statements cannot be read. */
  get #opaque(): number {
    return this.#connected.filter((link) => link.opaque).length;
  }

  #arrived(socket: Socket): void {
    const refuse = this.#closing === undefined ? this.#disturbances.refusal() : "reset";
    if (refuse !== undefined) {
      this.#refused.add(socket);
      socket.once("close", () => this.#refused.delete(socket));
      turnAway(socket, refuse);
      return;
    }
    const link = new Link(socket, this, this.#reads);
    this.#links.add(link);
    void link.closed.then(() => this.#links.delete(link));
    for (const direction of both) link.setWeather(direction, this.#disturbances.weather(direction));
    this.#disturbances.arrived();
    this.#pretences.arrived();
  }

  /** Tells all connections how the network is now. */
  #forecast(): void {
    for (const direction of both) {
      const weather = this.#disturbances.weather(direction);
      for (const link of this.#links) link.setWeather(direction, weather);
    }
  }

  #strike(options: FaultOptions, strike: Strike): Fault {
    this.#legible();
    return this.#rules.addStatement(options, strike);
  }

  #legible(): void {
    this.#open();
    if (!this.#reads)
      throw stateError(`the proxy on port ${this.#port} passes plain bytes: no statement can be struck`);
    const opaque = this.#opaque;
    if (opaque === 0) return;
    throw stateError(`${opaque} clients of the proxy on port ${this.#port} are encrypted: no statement can be struck`);
  }

  #ways(direction: Direction | undefined): readonly Direction[] {
    this.#open();
    return direction === undefined ? both : [oneOf("direction", direction, both)];
  }

  #open(): void {
    if (this.#closing !== undefined) throw stateError(`the proxy on port ${this.#port} is closed`);
  }
}
