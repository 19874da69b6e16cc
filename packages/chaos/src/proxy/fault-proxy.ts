/** What a proxy can do to the connections that go through it. */
import type { DisturbOptions, RefuseMode } from "./disturbance.ts";
import type { Fault, FaultOptions } from "./fault.ts";
import type { CutMode } from "./link.ts";
import type { Direction } from "./pump.ts";
import type {
  DelayMessageOptions,
  DropCommitReplyOptions,
  DropReplyOptions,
  InjectOptions,
  NoticeOptions,
} from "./strike.ts";

/**
 * A fixed address in front of one server. With no fault on, everything passes: bytes are forwarded as they come, back-pressure
 * and half-closed connections included. Faults on statements understand the protocol of PostgreSQL 3.x (simple and extended,
 * pipelined, COPY, cancel requests); after TLS or GSSAPI was agreed on, bytes can only pass, wait or be cut.
 *
 * Methods that strike statements or messages throw a ChaosError (`ERR_BREAKWATER_CHAOS_STATE`) on a proxy of plain bytes, and
 * while a connected client is encrypted: what cannot be read cannot be struck. All throw it once the proxy is closed, and a
 * RangeError for bad options. While the server is not there, connections are accepted and then reset.
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
  /** Makes the network worse while the fault is on; several add up, also with what the methods above have set. */
  disturb(options: DisturbOptions): Fault;
  /** Cuts all connections. @default "reset" @returns how many. */
  cutAll(mode?: CutMode): number;
  /** Cuts one connection by a reset. @param random from 0 up to 1, picks it. @default Math.random @returns whether there was one. */
  cutOne(random?: () => number): boolean;
  /**
   * The server does it, the client never hears: a struck statement is forwarded, the answer is awaited and swallowed, then the
   * client's connection is reset. What the client sent after it in the same pipeline does not reach the server.
   */
  dropReply(options: DropReplyOptions): Fault;
  /** The same for the n-th COMMIT from now on. */
  dropCommitReply(options?: DropCommitReplyOptions): Fault;
  /** A struck statement never reaches the server: both sides of the connection are cut. */
  cutBefore(options: FaultOptions): Fault;
  /**
   * The server prepares a struck statement and then loses its client: what would run it does not reach it. Strikes where a
   * statement is prepared (extended protocol), not where one that was prepared before is executed.
   */
  cutAfterParse(options: FaultOptions): Fault;
  /**
   * The client gets the whole answer but not the server's word that it is ready for more: the connection is reset before
   * ReadyForQuery.
   */
  cutBeforeReady(options: FaultOptions): Fault;
  /**
   * Answers a struck statement with an error instead of running it. A transaction that it was in has failed, for the server too.
   * In the server's log this appears as a syntax error, or an unknown portal, named `breakwater_injected_fault`.
   */
  inject(options: InjectOptions): Fault;
  /** Says a notice or warning with the answer of a struck statement, which runs as ever. */
  notice(options: NoticeOptions): Fault;
  /** Holds one kind of message back, and with it all that follows it on its connection. */
  delayMessage(options: DelayMessageOptions): Fault;
  /**
   * Tells all clients, old and new, that `in_hot_standby` is on (or off), as a server does that lost its role; at the end of the
   * fault they are told the truth. Only what the server reports by itself is changed: statements run as ever, and
   * `SHOW in_hot_standby` does not lie. @default true
   */
  pretendStandby(standby?: boolean): Fault;
  /** Calls `listener` with the text of each statement before it is forwarded. @returns what ends that. */
  onStatement(listener: (text: string) => void): () => void;
  /** Ends all faults, all connections and the listener; idempotent. */
  close(): Promise<void>;
}
