/**
 * A driver without a database, for units of what stands on drivers.
 */
import type { Driver, DriverConnection, DriverListener, TransactionStatus } from "../contract/driver.ts";
import type { QueryResult, Statement } from "../contract/pool.ts";

/** What a fake connection answers: returns a result or a promise of one, or throws. */
export type FakeReply = (statement: Statement, connection: FakeConnection) => unknown;

/** A fake connection, and what was done with it. */
export interface FakeConnection extends DriverConnection {
  /** Its place in the order in which they were opened, from 1. */
  readonly id: number;
  /** Every text that was sent over it, in order. */
  readonly sent: readonly string[];
  /** Statements that have not been answered. */
  readonly running: number;
  /** `held` from its opening on; `idle` after a release; `destroyed` for good. */
  readonly state: "idle" | "held" | "destroyed";
  transactionStatus: TransactionStatus;
  usable: boolean;
}

/** A fake driver, and what was done with it. */
export interface FakeDriver extends Driver {
  /** Every connection that was opened, in order. */
  readonly connections: readonly FakeConnection[];
  /** Whether `close()` was called. */
  readonly closed: boolean;
  /** Whom the pool told to listen. */
  readonly listener: DriverListener | undefined;
  /** Set to let connecting take until it settles, or fail. */
  connecting: (() => Promise<void>) | undefined;
  /** Set to let destroying take until it settles. */
  destroying: ((cancel: boolean) => Promise<void>) | undefined;
}

const EMPTY: QueryResult<never> = Object.freeze({ rows: [], rowCount: 0, command: "SELECT", fields: [] });

/**
 * Makes a fake driver of at most `max` connections. It keeps the state of transactions as a server would, from the texts
 * BEGIN, COMMIT and ROLLBACK, and throws when a connection is used by two or after its end: what a pool must never do.
 */
export function fakeDriver(reply: FakeReply = () => undefined, max = 2): FakeDriver {
  const connections: Connection[] = [];
  let closed = false;
  let listener: DriverListener | undefined;

  class Connection implements FakeConnection {
    readonly id: number = connections.length + 1;
    readonly driver: unknown = { id: this.id };
    readonly sent: string[] = [];
    readonly own: boolean;
    running = 0;
    state: "idle" | "held" | "destroyed" = "held";
    transactionStatus: TransactionStatus = "idle";
    usable = true;
    retired = false;
    #cut: (error: Error) => void = () => undefined;

    constructor(own: boolean) {
      this.own = own;
    }

    async query<Row>(statement: Statement): Promise<QueryResult<Row>> {
      if (this.state !== "held") throw new Error(`a statement was sent over a connection that is ${this.state}`);
      if (this.running > 0) throw new Error("a statement was sent while another one ran");
      this.sent.push(statement.text);
      this.running += 1;
      try {
        const cut = new Promise((_, reject) => (this.#cut = reject));
        cut.catch(() => undefined);
        const answer = await Promise.race([reply(statement, this), cut]);
        const failed = this.transactionStatus === "failed";
        this.#follow(statement.text);
        const command = failed && statement.text === "COMMIT" ? "ROLLBACK" : statement.text;
        return (answer ?? { ...EMPTY, command }) as QueryResult<Row>;
      } catch (error) {
        if (this.transactionStatus === "open") this.transactionStatus = "failed";
        throw error;
      } finally {
        this.running -= 1;
      }
    }

    release(): void {
      if (this.state !== "held") throw new Error(`a connection was released that is ${this.state}`);
      if (this.running > 0) throw new Error("a connection was released while its statement ran");
      if (this.transactionStatus !== "idle") throw new Error("a connection was released inside a transaction");
      if (!this.own) this.state = this.retired ? "destroyed" : "idle";
    }

    async destroy(cancel: boolean): Promise<void> {
      if (this.state === "destroyed") return;
      this.state = "destroyed";
      this.usable = false;
      this.#cut(new Error("the connection was destroyed"));
      await driver.destroying?.(cancel);
    }

    #follow(text: string): void {
      if (text.startsWith("BEGIN")) this.transactionStatus = "open";
      else if (text.startsWith("ROLLBACK TO")) this.transactionStatus = "open";
      else if (/^(COMMIT|ROLLBACK)/.test(text)) this.transactionStatus = "idle";
    }
  }

  const connect = async (own: boolean): Promise<Connection> => {
    await driver.connecting?.();
    const connection = new Connection(own);
    connections.push(connection);
    return connection;
  };

  const driver: FakeDriver = {
    connections,
    max,
    connecting: undefined,
    destroying: undefined,
    get closed() {
      return closed;
    },
    get listener() {
      return listener;
    },
    listen: (who) => {
      listener = who;
    },
    acquire: () => {
      const idle = connections.find((connection) => connection.state === "idle");
      if (idle === undefined) return connect(false);
      idle.state = "held";
      return idle;
    },
    open: () => connect(true),
    counts: () => {
      const alive = connections.filter(({ state, own }) => state !== "destroyed" && !own);
      return { total: alive.length, idle: alive.filter(({ state }) => state === "idle").length };
    },
    retire: () => {
      for (const connection of connections) {
        if (connection.state === "idle") connection.state = "destroyed";
        else connection.retired = true;
      }
    },
    close: () => {
      closed = true;
      for (const connection of connections) if (connection.state === "idle") connection.state = "destroyed";
      return Promise.resolve();
    },
  };
  return driver;
}
