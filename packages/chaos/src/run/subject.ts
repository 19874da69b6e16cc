/** Who is tried: what a run needs of a service, and how a pool becomes one. */
import type { FinalState, ListElement, ListStep } from "../history/operation.ts";

/** How the subject reaches the database. */
export interface SubjectTarget {
  /** Connection string of the node that is the primary at the start, through its proxy. */
  readonly primary: string;
  /** The same of the replicas at the start. */
  readonly replicas: readonly string[];
  /** Connection string of one address that leads every new connection to the present primary, as a floating address does. */
  readonly endpoint: string;
  /** All nodes. */
  readonly nodes: readonly {
    readonly name: string;
    readonly host: string;
    readonly port: number;
    readonly connectionString: string;
  }[];
  /** The name that stands for nodes, where the scenario has a `service`: to be resolved as a service record (SRV). */
  readonly service: SubjectService | undefined;
  /** For whatever is drawn. */
  readonly seed: number;
}

/** A name in place of addresses. */
export interface SubjectService {
  /** Such as `_postgresql._tcp.chaos.test`. */
  readonly name: string;
  /** Takes the place of `node:dns/promises` for this name. */
  readonly resolver: {
    lookup(
      name: string,
      options: { readonly all: true },
    ): Promise<{ readonly address: string; readonly family: number }[]>;
    resolveSrv(
      name: string,
    ): Promise<{ readonly name: string; readonly port: number; readonly weight: number; readonly priority: number }[]>;
  };
}

/** What a subject tells of itself, for the lanes of the report. */
export type SubjectEvent =
  | { readonly kind: "breaker"; readonly node: string; readonly state: "closed" | "open" | "half-open" | "isolated" }
  | { readonly kind: "note"; readonly name: string; readonly text: string };

/** Runs a statement and gives its rows. */
export type Ask = <Row = Record<string, unknown>>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

/**
 * The service under trial. Each operation does one piece of work and resolves when it is done; what it rejects with tells the
 * caller that it was not. An error with the code ERR_BREAKWATER_OUTCOME_UNKNOWN, or one that `isUnknown` names, says that nobody
 * knows. `session` is who asks: a session must see its own writes and never go back in time.
 *
 * Kinds of call whose operation is missing are left out of the load.
 */
export interface Subject {
  /** Stands in the record and in messages. */
  readonly name: string;
  /** Makes what it needs in the database, over a connection past all faults, before the load begins. */
  prepare?(ask: Ask): Promise<void>;
  /** Stores a row that must be there exactly once. */
  insert?(id: string, session: string): Promise<unknown>;
  /** Moves money between two accounts, and stores a row with the id. */
  transfer?(transfer: Transfer, session: string): Promise<unknown>;
  /** Adds up all balances as of one moment. */
  sum?(session: string): Promise<number>;
  /** Does the steps in one transaction. Gives what each read found, in their order. */
  lists?(steps: readonly ListStep[], session: string): Promise<readonly (readonly ListElement[])[]>;
  /** Puts a value into a register. */
  set?(register: string, value: string, session: string): Promise<unknown>;
  /** Reads a register; null for nothing. */
  get?(register: string, session: string): Promise<string | null>;
  /** Whether an error leaves open what happened, beside those that say so by their code. */
  isUnknown?(error: unknown): boolean;
  /** Tells what happens inside, until the returned function is called. */
  observe?(listener: (event: SubjectEvent) => void): () => void;
  /** What the database holds in the end, from its primary, where the subject has tables of its own. @default the kit's tables */
  finalState?(ask: Ask): Promise<FinalState>;
  /** Ends it with all its connections. */
  close(): Promise<void>;
}

/** Money from one account to another. */
export interface Transfer {
  /** Its id, which is written with it. */
  readonly id: string;
  /** The account that pays. */
  readonly from: string;
  /** The account that is paid. */
  readonly to: string;
  /** How much, a whole number. */
  readonly amount: number;
}

/** Makes a subject for one run: what a module given to `--against` exports as `subject` or `default`. */
export type SubjectFactory = (target: SubjectTarget) => Subject | Promise<Subject>;
