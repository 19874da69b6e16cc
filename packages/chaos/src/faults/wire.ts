/** The wire in a script: what a node's proxy can do, by one name and one object of options each. */
import { integerIn, numberIn, onlyKnown } from "../check.ts";
import { checkRefuse, type DisturbOptions, type RefuseMode } from "../proxy/disturbance.ts";
import type { Fault, FaultOptions } from "../proxy/fault.ts";
import type { FaultProxy } from "../proxy/fault-proxy.ts";
import type { CutMode } from "../proxy/link.ts";
import type {
  DelayMessageOptions,
  DropCommitReplyOptions,
  DropReplyOptions,
  InjectOptions,
  NoticeOptions,
} from "../proxy/strike.ts";
import { type ActiveFault, finished, type FaultHand } from "./active-fault.ts";

/** Which way a fault works. */
export type DirectionOption = Pick<DisturbOptions, "direction">;

export interface LatencyOptions extends DirectionOption, Pick<DisturbOptions, "jitterMs" | "random"> {
  /** Delay in milliseconds, 0 to 60 000. */
  readonly ms: number;
}

export interface BandwidthOptions extends DirectionOption {
  /** Most bytes in a second, each way of each connection; from 1. */
  readonly bytesPerSecond: number;
}

export interface SliceOptions extends DirectionOption {
  /** Longest piece in bytes; from 1. */
  readonly bytes: number;
}

export interface SlowCloseOptions extends DirectionOption {
  /** How much later the end of a connection arrives, in milliseconds; 0 to 60 000. */
  readonly ms: number;
}

/** Faults between clients and one server; see `FaultProxy` for what each one does. All begin at once. */
export interface WireFaults {
  /** Has the server carry statements out, keeps their answers back, and cuts the connection. */
  dropReply(options: DropReplyOptions): ActiveFault;
  /** The same for COMMIT: the next one, once, unless the options say otherwise. */
  dropCommitReply(options?: DropCommitReplyOptions): ActiveFault;
  /** Cuts the connection, both ways, before a statement reaches the server. */
  cutBefore(options: FaultOptions): ActiveFault;
  /** Cuts it when a statement has been parsed but not executed. */
  cutAfterParse(options: FaultOptions): ActiveFault;
  /** Cuts it after a statement's answer, before the server says that it is ready. */
  cutBeforeReady(options: FaultOptions): ActiveFault;
  /** Answers a statement with an error in place of running it; the transaction that it was in has failed. */
  inject(options: InjectOptions): ActiveFault;
  /** Adds a notice or warning to the answer of a statement, which runs as ever. */
  notice(options: NoticeOptions): ActiveFault;
  /** Delays one kind of message, and all that follows it on its connection. */
  delayMessage(options: DelayMessageOptions): ActiveFault;
  /** Tells all clients that the server is a standby, or is none, until the fault ends. @default standby true */
  pretendStandby(options?: { readonly standby?: boolean }): ActiveFault;
  /** Delays all that arrives, by milliseconds. */
  latency(options: LatencyOptions): ActiveFault;
  /** Lets nothing pass until the fault ends; nothing is closed or lost. */
  freeze(options?: DirectionOption): ActiveFault;
  /** Lets so many bytes pass in a second, each way of each connection. */
  bandwidth(options: BandwidthOptions): ActiveFault;
  /** Sends what passes on in pieces of at most so many bytes. */
  slice(options: SliceOptions): ActiveFault;
  /** Delays the ends of connections, by whichever side, by milliseconds. */
  slowClose(options: SlowCloseOptions): ActiveFault;
  /** Turns new connections away; those that there are go on. */
  refuse(options: { readonly mode: RefuseMode }): ActiveFault;
  /** Cuts all connections, once; the fault has ended when this returns. @default mode "reset" */
  cut(options?: { readonly mode?: CutMode }): ActiveFault;
}

/** Begins a fault: `start` switches it on. */
export type Begin = (name: string, start: () => FaultHand) => ActiveFault;

export function wireFaults(proxy: FaultProxy, begin: Begin): WireFaults {
  const disturb = (name: string, given: object, known: readonly string[], make: () => DisturbOptions): ActiveFault =>
    begin(name, (): Fault => {
      onlyKnown(name, given, known);
      return proxy.disturb(make());
    });
  return {
    dropReply: (options) => begin("dropReply", () => proxy.dropReply(options)),
    dropCommitReply: (options) => begin("dropCommitReply", () => proxy.dropCommitReply(options)),
    cutBefore: (options) => begin("cutBefore", () => proxy.cutBefore(options)),
    cutAfterParse: (options) => begin("cutAfterParse", () => proxy.cutAfterParse(options)),
    cutBeforeReady: (options) => begin("cutBeforeReady", () => proxy.cutBeforeReady(options)),
    inject: (options) => begin("inject", () => proxy.inject(options)),
    notice: (options) => begin("notice", () => proxy.notice(options)),
    delayMessage: (options) => begin("delayMessage", () => proxy.delayMessage(options)),
    pretendStandby: (options = {}) =>
      begin("pretendStandby", () => {
        onlyKnown("pretendStandby", options, ["standby"]);
        return proxy.pretendStandby(options.standby);
      }),
    latency: (options) =>
      disturb("latency", options, ["ms", "jitterMs", "random", "direction"], () => {
        const { ms, ...rest } = options;
        return { ...rest, latencyMs: numberIn("ms", ms, 0, 60_000) };
      }),
    freeze: (options = {}) => disturb("freeze", options, ["direction"], () => ({ ...options, freeze: true })),
    bandwidth: (options) =>
      disturb("bandwidth", options, ["bytesPerSecond", "direction"], () => {
        integerIn("bytesPerSecond", options.bytesPerSecond, 1, Number.MAX_SAFE_INTEGER);
        return options;
      }),
    slice: (options) =>
      disturb("slice", options, ["bytes", "direction"], () => {
        const { bytes, ...rest } = options;
        return { ...rest, sliceBytes: integerIn("bytes", bytes, 1, Number.MAX_SAFE_INTEGER) };
      }),
    slowClose: (options) =>
      disturb("slowClose", options, ["ms", "direction"], () => {
        const { ms, ...rest } = options;
        return { ...rest, slowCloseMs: numberIn("ms", ms, 0, 60_000) };
      }),
    refuse: (options) => disturb("refuse", options, ["mode"], () => ({ refuse: checkRefuse(options.mode) })),
    cut: (options = {}) =>
      begin("cut", () => {
        onlyKnown("cut", options, ["mode"]);
        return finished(proxy.cutAll(options.mode));
      }),
  };
}
