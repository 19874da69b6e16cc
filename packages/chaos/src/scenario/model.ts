/** The vocabulary of scenarios, the same in TypeScript and YAML; in TypeScript a step may also be a function. */
import type { Isolation } from "../history/check.ts";
import type { ViolationKind } from "../history/violation.ts";
import type { CallAccess } from "../run/record.ts";
import type { RunContext } from "../run/context.ts";

/** Milliseconds, a text such as `1.5s` or `200ms`, or two of these, between which the dice choose. */
export type Duration = number | string | readonly [number | string, number | string];

/**
 * Which nodes: `primary`, `old-primary` (that was the primary before), `replica` (the dice choose a running one), `replicas`,
 * `all`, or a node by name such as `n2`.
 */
export type Target = "primary" | "old-primary" | "replica" | "replicas" | "all" | (string & {});

/** What every fault takes besides its own options. */
export interface FaultPlace {
  /** @default "primary"; "replica" for faults of replay */
  readonly on?: Target;
  /** Ends the fault after this time, while the steps go on. @default at `end`, or with the run */
  readonly for?: Duration;
  /** Names the fault for `end` and `until`. */
  readonly as?: string;
}

/** Which statements a fault strikes: a pattern (letters' case does not count), each n-th, so many times, a share of them. */
export interface StatementChoice {
  /** Pattern of the statement's text: a text without regard to case, or a RegExp as it is. */
  readonly to: string | RegExp;
  /** Only each n-th of them. @default 1 */
  readonly every?: number;
  /** At most so many of them. @default all */
  readonly times?: number;
  /** With this chance, 0 to 1. @default 1 */
  readonly probability?: number;
}

type OneDirection = { readonly direction?: "toServer" | "toClient" };
type FaultStep<Options = object> = Target | (Options & FaultPlace);
/** An error as PostgreSQL sends it. */
interface ErrorText {
  readonly sqlstate?: string;
  readonly message?: string;
  readonly severity?: string;
}

/** What a step can be; each has exactly one of these keys. Faults are those of `Faults`, by the same names. */
export interface StepActions {
  /** Does nothing for so long; faults and load go on. */
  readonly wait: Duration;
  /** Waits for a condition to hold, at most 10 seconds unless it says otherwise. */
  readonly until: Condition;
  /** Does the steps so many times, one round after the other. */
  readonly repeat: { readonly times: number; readonly steps: readonly Step[] };
  /** Ends faults by the names that `as` gave them, or all. */
  readonly end: string | readonly string[];
  /** Wakes a hung node up as it is: one that was the primary still believes to be it. */
  readonly resume: Target | { readonly on?: Target };
  /** Stops a node in an orderly way and starts it again. */
  readonly restart: Target | { readonly on?: Target };
  /** Runs one statement as superuser, past the proxies. */
  readonly sql: { readonly text: string; readonly on?: Target };
  /** Lets the service's name stand for these nodes from now on; needs `service`. */
  readonly names: readonly Target[];

  /** Has the server carry the statement out, keeps its answer back, and cuts the connection. */
  readonly dropReply: StatementChoice & FaultPlace & { readonly wait?: "reply" | "none" };
  /** The same for COMMIT: by default the next one, once. */
  readonly dropCommitReply: FaultStep<{
    readonly nth?: number;
    readonly times?: number;
    readonly wait?: "reply" | "none";
  }>;
  /** Cuts the connection before the statement reaches the server. */
  readonly cutBefore: StatementChoice & FaultPlace;
  /** Cuts it when the server has prepared the statement but not run it. */
  readonly cutAfterParse: StatementChoice & FaultPlace;
  /** Cuts it after the answer, before the server says that it is ready for more. */
  readonly cutBeforeReady: StatementChoice & FaultPlace;
  /** Answers the statement with an error in place of running it. */
  readonly inject: StatementChoice & FaultPlace & ErrorText & { readonly sqlstate: string };
  /** Adds a notice or warning to the answer of a statement, which runs as ever. */
  readonly notice: StatementChoice & FaultPlace & ErrorText;
  /** Delays one kind of message, and all that follows it on its connection. */
  readonly delayMessage: FaultPlace &
    OneDirection & {
      readonly message: string;
      readonly ms: Duration;
      readonly every?: number;
      readonly times?: number;
      readonly probability?: number;
    };
  /** Delays all that arrives, by milliseconds. */
  readonly latency: FaultPlace & OneDirection & { readonly ms: Duration; readonly jitterMs?: Duration };
  /** Lets nothing pass until the fault ends; nothing is closed or lost. */
  readonly freeze: FaultStep<OneDirection>;
  /** Turns new connections away; those that there are go on. */
  readonly refuse: FaultPlace & {
    readonly mode: "reset" | "fin" | { readonly sqlstate: string; readonly message: string };
  };
  /** Cuts the connections that there are, once. @default mode "reset" */
  readonly cut: FaultStep<{ readonly mode?: "reset" | "fin" }>;
  /** Lets so many bytes pass in a second, each way of each connection. */
  readonly bandwidth: FaultPlace & OneDirection & { readonly bytesPerSecond: number };
  /** Sends what passes on in pieces of at most so many bytes. */
  readonly slice: FaultPlace & OneDirection & { readonly bytes: number };
  /** Delays the ends of connections, by milliseconds. */
  readonly slowClose: FaultPlace & { readonly ms: Duration };
  /** Tells all clients that the server is a standby. */
  readonly pretendStandby: FaultStep;

  /** SIGKILL to all processes of the server; the end of the fault starts it again. */
  readonly kill: FaultStep;
  /** Stops the server; the end of the fault starts it again. @default mode "fast" */
  readonly stop: FaultStep<{ readonly mode?: "smart" | "fast" | "immediate" }>;
  /** Suspends all processes of the server: connections stay, nothing answers until the fault ends. */
  readonly hang: FaultStep;
  /** SIGKILL to one backend, the oldest that a condition on `pg_stat_activity` fits: all sessions end, the server recovers. */
  readonly killBackend: FaultPlace & { readonly where: string };
  /** Makes a replica a primary, beside the one that there is; it is not undone. */
  readonly promote: FaultStep;
  /** Lets a replica receive but not apply. */
  readonly pauseReplay: FaultStep;
  /** Lets a replica apply each commit so many milliseconds late. */
  readonly delayReplay: FaultPlace & { readonly ms: Duration };
  /** Pauses a replica's replay, and has the primary write until it is so many bytes behind. */
  readonly lag: FaultPlace & { readonly bytes: number };
  /** Takes the connection slots of ordinary users that are free, all but `leave` (0) of them. */
  readonly fillSlots: FaultStep<{ readonly leave?: number }>;
  /** Holds a lock on a table, in a transaction of its own. @default mode "ACCESS EXCLUSIVE" */
  readonly holdLock: FaultPlace & { readonly table: string; readonly mode?: string };
  /** Runs a statement that sleeps, on `count` (1) sessions of its own. */
  readonly longStatement: FaultStep<{ readonly count?: number }>;
  /**
   * Takes the primary down, or not (`none`), and promotes `to`; the end of the fault brings the old primary back as
   * a replica.
   * @default kill "kill"; to the replica that received most
   */
  readonly failover: {
    readonly kill?: "kill" | "immediate" | "hang" | "none";
    readonly to?: Target;
    readonly as?: string;
    readonly for?: Duration;
  };
  /** Swaps the roles of the primary and `to` without losing anything, once. @default to the replica that received most */
  readonly switchover: { readonly to?: Target; readonly as?: string; readonly for?: Duration };
}

/** One step: exactly one action. */
export type StepAction = {
  [K in keyof StepActions]: { readonly [Key in K]: StepActions[K] } & {
    readonly [Key in Exclude<keyof StepActions, K>]?: never;
  };
}[keyof StepActions];

/** A step that a function does. */
export type StepFunction = (run: RunContext) => Promise<void>;
/** One step of a scenario: an action, or a function. */
export type Step = StepAction | StepFunction;

/**
 * What is awaited in place of a sleep, at most `within` (10 s): `primary-answers` (it takes writes), `replicas-streaming`,
 * `replicas-caught-up`, `calls-settled` (every call that runs now has been answered), so many calls `acknowledged`, `written`
 * (acknowledged, and writes) or `failed` since this step began, a `fault` that has had its `hits`, the `breaker` of every node,
 * or `sql` that gives true. When an `optional` one is not met in time, the steps go on.
 */
export type Condition =
  | PlainCondition
  | ({ readonly is: PlainCondition } & ConditionLimit)
  | ({ readonly acknowledged: number } & ConditionLimit)
  | ({ readonly written: number } & ConditionLimit)
  | ({ readonly failed: number } & ConditionLimit)
  | ({ readonly fault: string; readonly hits?: number } & ConditionLimit)
  | ({ readonly breaker: "closed" | "open" | "half-open" } & ConditionLimit)
  | ({ readonly sql: string; readonly on?: Target } & ConditionLimit);

interface ConditionLimit {
  readonly within?: number | string;
  readonly optional?: boolean;
}

/** A condition without options. */
export type PlainCondition = (typeof plainConditions)[number];
/** All conditions without options. */
export const plainConditions = [
  "primary-answers",
  "replicas-streaming",
  "replicas-caught-up",
  "calls-settled",
] as const;

/** What the callers do, each one call after the other. */
export interface WorkloadOptions {
  /** 1 to 200. @default 8 */
  readonly callers?: number;
  /** Pause of a caller between two calls. @default [0, 10] */
  readonly pause?: Duration;
  /** Shares of the kinds of call. @default { insert: 4, transfer: 3, lists: 2, set: 2, get: 4, sum: 1 } */
  readonly mix?: Readonly<Partial<Record<WorkloadCall, number>>>;
}

/**
 * `insert`: a row that must be there exactly once; `transfer`: money between two accounts; `sum`: reads all balances; `lists`:
 * appends to and reads lists in one transaction; `set` and `get`: a register, whose readers must see their own writes.
 */
export type WorkloadCall = (typeof workloadCalls)[number];
/** All calls that a load can be made of. */
export const workloadCalls = ["insert", "transfer", "sum", "lists", "set", "get"] as const;

/** What must be true in the end, besides a history in which no checker finds anything. */
export interface Expectations {
  /** Most calls that may fail, their retries included. @default no bound */
  readonly failed?: number;
  /** Most calls whose outcome may stay unknown. @default no bound */
  readonly unknown?: number;
  /** Fewest calls that must succeed. @default 1 */
  readonly acknowledged?: number;
  /** Longest latencies: of reads, writes and transactions. @default no bound */
  readonly latency?: Readonly<
    Partial<
      Record<
        CallAccess,
        { readonly p50?: Duration; readonly p95?: Duration; readonly p99?: Duration; readonly max?: Duration }
      >
    >
  >;
  /** How transactions on lists run. @default "read-committed" */
  readonly isolation?: Isolation;
  /** Kinds of violation that are accepted. @default none */
  readonly allow?: readonly ViolationKind[];
  /** Longest time for all calls to be answered once the load ends. @default "15s" */
  readonly settle?: Duration;
}

/** A scenario, as it is written. */
export interface ScenarioDefinition {
  /** Letters, digits and `-`. */
  readonly name: string;
  /** What it shows, in one sentence. */
  readonly description?: string;
  /** The servers that it needs. @default one primary and two replicas */
  readonly cluster?: {
    /** @default 2 */
    readonly replicas?: number;
    /** @default false */
    readonly synchronous?: boolean;
    readonly settings?: Readonly<Record<string, string>>;
  };
  /** Gives the database a name that stands for nodes, as DNS would: which nodes at the beginning. @default none */
  readonly service?: { readonly nodes: readonly Target[] };
  /** The load that is put on the subject. @default a mix of all calls */
  readonly workload?: WorkloadOptions;
  /** What happens, one step after the other. */
  readonly steps: readonly Step[];
  /** What must hold in the end. @default a history without violations, and at least one call that succeeded */
  readonly expect?: Expectations;
}

/** A scenario that was checked. */
export interface Scenario extends ScenarioDefinition {
  readonly description: string;
  /** Where it came from: the file, or its own name. */
  readonly source: string;
}
